import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, type TestContext, test } from 'vitest';

import { fakeDriver } from '../support/agent-driver.ts';
import { fakeNvidiaSmi } from '../support/fake-nvidia-smi.ts';

const root = join(import.meta.dirname, '../..');

/** As `npm run oracle` runs it, on the C fake and without pynvml. */
function oracle(context: TestContext, edit?: (xml: string) => string) {
  const driver = fakeDriver(context);
  const nvidiaSmi = fakeNvidiaSmi(driver.folder, edit);
  return run(['--nvml-library', driver.library, '--nvidia-smi', nvidiaSmi], driver.env);
}

function run(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const program = join(root, 'node_modules/.bin/bun');
  return spawnSync(
    program,
    [join(root, 'test/oracle/main.ts'), '--python', '/does/not/exist/python', ...args],
    {
      encoding: 'utf8',
      env: { PATH: process.env['PATH'], ...env },
    },
  );
}

test('where nvidia-smi tells the same as the agent, all of it agrees', (context) => {
  const { stdout, status } = oracle(context);

  expect(stdout).toMatch(/^\| temperatureC +\| nvidia-smi -q -x +\| 32 +\| 32 C +\| agrees +\| 2 +\|$/m);
  expect(stdout).toMatch(/^\| fanPercents\.0 .*\| missing +\| N\/A +\| bothMissing/m);
  expect(stdout).toMatch(/^\| computeCapability +\| nvidia-smi --query-gpu +\| 9\.0 +\| 9\.0 +\| agrees/m);
  expect(stdout).toContain('pynvml was left out: ');
  const [, agrees] = /^(\d+) agrees, .* 0 moved, .* 0 missingHere, 0 differs$/m.exec(stdout) ?? [];
  expect(Number(agrees)).toBe(2 * 37); // all that it tells
  expect(status).toBe(0);
});

test('one value of one GPU that differs is named, and is a failure', (context) => {
  const { stdout, status } = oracle(context, (xml) => xml.replace('<gpu_temp>32 C', '<gpu_temp>41 C'));

  expect(stdout).toMatch(/^\| temperatureC +\| nvidia-smi -q -x +\| 32 +\| 41 C +\| differs +\| 1 +\|$/m);
  expect(stdout).toMatch(/, 1 differs$/m);
  expect(status).toBe(1);
});

test('where there is no GPU it says what it needs', () => {
  const { stderr, status } = run(['--nvidia-smi', '/does/not/exist/nvidia-smi']);

  expect(stderr).toMatch(/\/does\/not\/exist\/nvidia-smi.*\nThis needs a machine with an NVIDIA GPU/);
  expect(status).toBe(2);
});
