import { expect, test } from 'vitest';

import { orNull, type Reading } from '../../src/core/reading.ts';
import { openedNvml } from '../support/agent-nvml.ts';
import { random } from '../support/answers.ts';
import { h100 } from '../support/nvml/fake-nvml.ts';

const symbols = [
  ...['Compute', 'Graphics', 'MPSCompute'].map((list) => `nvmlDeviceGet${list}RunningProcesses_v3`),
  'nvmlDeviceGetProcessUtilization',
  'nvmlDeviceGetCount_v2',
  'nvmlDeviceGetTopologyCommonAncestor',
  'nvmlDeviceGetP2PStatus',
  ...['QueryDeviceSupport', 'SampleAlloc', 'SampleGet', 'MetricsGet'].map((call) => `nvmlGpm${call}`),
];
const codes = [0, 2, 3, 4, 6, 7, 10, 13, 15, 16, 28, 77, 999];

const running = [{ pid: 5, usedBytes: 100 }];

test.for([1, 2, 3, 4])(
  'whatever the driver returns to a question, there is an answer and none is made up, round %i',
  (seed) => {
    const next = random(seed);
    const gpus = [h100(0, { processes: running }), h100(1)];
    const { driver, write } = openedNvml();
    for (let round = 0; round < 100; round++) {
      write({ gpus });
      driver.open();
      const failing = symbols.filter(() => next() < 0.4);
      const returns = failing.map((symbol) => ({
        symbol,
        code: codes[Math.floor(next() * codes.length)] ?? 0,
      }));
      write({ gpus, returns });

      const [processes, peers, gpm] = [
        driver.inquire('processes', 0),
        driver.inquire('peers', 0),
        driver.inquire('gpm', 0),
      ];

      expect(pidsIn(processes)).toEqual(isRead(returns) ? [5] : expect.toBeOneOf(['missing', []]));
      const ways = orNull(peers) ?? [];
      const answers = ways.flatMap(({ commonAncestor, p2p }) => [commonAncestor, ...Object.values(p2p)]);
      for (const answer of [...answers, gpm]) expect(kindOf(answer)).toMatch(/^(value|missing)$/);
    }
  },
);

function kindOf(reading: object): string {
  return Object.keys(reading).join();
}

function pidsIn(processes: Reading<readonly { readonly pid: number }[]>): number[] | 'missing' {
  return 'missing' in processes ? 'missing' : processes.value.map(({ pid }) => pid);
}

type Returns = readonly { readonly symbol: string; readonly code: number }[];

/** Where no list is refused: one that is not supported has nothing to tell. */
function isRead(returns: Returns): boolean {
  const lists = returns.filter(({ symbol }) => symbol.includes('RunningProcesses'));
  const isCompute = (symbol: string) => symbol.startsWith('nvmlDeviceGetCompute');
  return lists.every(({ symbol, code }) => code === 0 || (!isCompute(symbol) && [3, 13].includes(code)));
}
