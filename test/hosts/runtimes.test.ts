import { execFileSync } from 'node:child_process';
import { describe, expect, test } from 'vitest';

import { bridgeEntry } from '../support/build.ts';
import { nodeVersions, npmPrograms, whyNoPrograms } from '../support/npm-programs.ts';

const whyNot = whyNoPrograms();

describe.skipIf(whyNot)(
  `the bridge on every Node that we promise${whyNot ? ` (skipped: ${whyNot})` : ''}`,
  () => {
    test.for(nodeVersions)('Node %s shows the demo', (version) => {
      const shown = execFileSync(npmPrograms.node(version), [bridgeEntry, 'demo'], { encoding: 'utf8' });

      expect(shown).toContain('partial: 3 of 4 GPU nodes answered');
    });
  },
);
