import { expect, test } from 'vitest';

import { processRowOf } from '../../src/tools/process-row.ts';
import { gpuProcessesText } from '../../src/tools/processes-gpu.ts';

const unknown = { missing: 'noData' } as const;

test('of many processes the heaviest are told, and what the others hold', () => {
  const processes = Array.from({ length: 122 }, (_, at) =>
    processRowOf({
      pid: at + 1,
      kinds: ['compute'],
      usedBytes: { value: at < 20 ? 2 ** 31 : 2 ** 28 },
      gpuInstanceId: null,
      computeInstanceId: null,
      utilization: unknown,
      onNode: { comm: unknown, state: unknown, startedAtMs: unknown, startTick: null, container: unknown },
      holders: [],
      left: false,
      waitingMs: null,
    }),
  );
  const gpu = {
    ...{ index: 0, name: 'H100', uuid: null, pciAddress: null, ageMs: 1, trouble: null, missing: null },
    ...{ processes, stuck: [], memoryUsedBytes: null, holders: [] },
  };

  const text = gpuProcessesText({ node: 'a', gpu, gpuName: '0', wallMs: 0 });

  expect(text).toMatch(/; 102 more, which hold 25\.5 GiB$/);
  expect(text.match(/pid \d+/g)).toHaveLength(20);
});
