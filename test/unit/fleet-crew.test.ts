import { expect, test } from 'vitest';

import { createCrew } from '../../src/bridge/fleet/crew.ts';
import { defaultLimits } from '../../src/bridge/fleet/limits.ts';
import { createLog } from '../../src/core/log.ts';

test('a crew that is closed takes on nobody: nobody would close what is opened then', () => {
  const log = createLog('error', () => undefined);
  const crew = createCrew({ token: undefined, limits: defaultLimits, log });

  crew.close();

  expect(() => crew.follow([])).toThrow('the fleet was closed');
});
