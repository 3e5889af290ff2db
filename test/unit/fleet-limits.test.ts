import { expect, test } from 'vitest';
import { parseConfig } from '../../src/bridge/config.ts';
import { checkLimits, defaultLimits, type Limits, limitsFor } from '../../src/bridge/fleet/limits.ts';

function limitsOf(argv: readonly string[], environment: Record<string, string> = {}): Limits {
  const parsed = parseConfig(argv, environment);
  if ('print' in parsed) throw new Error(parsed.print);
  return parsed.config.limits;
}

/** As Claude Desktop sets it where its user left the field empty. */
const unfilled = '$' + '{user_config.exec_timeout}';

const ladder = ({ fanOutMs, exec }: Limits) => [fanOutMs, exec.attemptMs, exec.nodeMs, exec.fanOutMs];

test.for<[string, readonly string[], Record<string, string>, readonly number[]]>([
  ['by default a call has 5 s, and 15 s where it asks by exec', [], {}, [5000, 8000, 10_000, 15_000]],
  ['EXEC_TIMEOUT above that changes nothing', [], { EXEC_TIMEOUT: '60s' }, [5000, 8000, 10_000, 15_000]],
  ['nor does one that is not set', [], { EXEC_TIMEOUT: ' ' }, [5000, 8000, 10_000, 15_000]],
  ['nor one that a host left unfilled', [], { EXEC_TIMEOUT: unfilled }, [5000, 8000, 10_000, 15_000]],
  [
    'nor one for the demo, which runs no program',
    ['demo'],
    { EXEC_TIMEOUT: 'soon' },
    [5000, 8000, 10_000, 15_000],
  ],
  [
    'nor one beside --node, where no cluster is asked',
    ['--node', 'a=http://x'],
    { EXEC_TIMEOUT: 'soon' },
    [5000, 8000, 10_000, 15_000],
  ],
  ['below it, it shrinks the whole ladder', [], { EXEC_TIMEOUT: '6' }, [5000, 3200, 4000, 6000]],
  ['a time for whole calls is one for both', ['--timeout', '4s'], {}, [4000, 2133, 2667, 4000]],
  [
    'a longer one leaves the rungs inside as they are',
    ['--timeout', '30s'],
    {},
    [30_000, 8000, 10_000, 30_000],
  ],
  ['EXEC_TIMEOUT caps that', ['--timeout', '30s'], { EXEC_TIMEOUT: '2m' }, [30_000, 8000, 10_000, 30_000]],
  ['and that', ['--timeout', '30s'], { EXEC_TIMEOUT: '1500ms' }, [30_000, 800, 1000, 1500]],
])('%s', ([, argv, environment, rungs]) => {
  expect(ladder(limitsOf(argv, environment))).toEqual(rungs);
});

test('whatever is asked for, the ladder stays strictly nested, or is refused', () => {
  for (let timeoutMs = 3001; timeoutMs < 60_000; timeoutMs += 997)
    for (let execTimeoutMs = 1000; execTimeoutMs < 600_000; execTimeoutMs *= 1.7)
      expect(() => checkLimits(limitsFor(timeoutMs, execTimeoutMs))).not.toThrow();

  expect(() => limitsFor(60_000, 60_000)).toThrow('host (60000 ms) must be longer');
  expect(() => limitsFor(defaultLimits.nodeMs, 60_000)).toThrow('must be longer than node (3000 ms)');
});
