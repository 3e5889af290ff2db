import { spawnSync } from 'node:child_process';
import { expect, type TestContext, test } from 'vitest';

import { checks } from '../oracle/findings.ts';
import { fakeDriver } from '../support/agent-driver.ts';
import { smiH100, writeFakeNvidiaSmi } from '../support/fake-nvidia-smi.ts';
import { told } from '../support/nvml/every-reading.ts';
import { h100 } from '../support/nvml/fake-nvml.ts';
import { runOracle, writeFakePython } from '../support/oracle-run.ts';
import { smiTold } from '../support/smi-told.ts';

/** A pynvml that answers only this, by the name of what is compared, and only of the first of two GPUs. */
function pynvmlTelling(context: TestContext, answers: Readonly<Record<string, string>>) {
  const driver = fakeDriver(context, { gpus: [h100(0), h100(1)] });
  const byExpression = checks.flatMap(({ name, check: { from } }) => {
    const [source = ''] = from;
    const answer = source.startsWith('pynvml ') ? answers[name] : undefined;
    return answer === undefined ? [] : [[source.slice('pynvml '.length), answer]];
  });
  const python = writeFakePython(driver, {
    [String(smiH100(0).query['uuid'])]: Object.fromEntries(byExpression),
  });
  return runOracle(driver, writeFakeNvidiaSmi(driver.folder, [smiH100(0), smiH100(1)]), python);
}

const linksOf = (value: string) => `[${Array(18).fill(value).join(', ')}]`;

test('what pynvml tells of links is compared', async (context) => {
  const agreeing = {
    'nvlinks.remoteType': linksOf('"SWITCH"'),
    'nvlinks.errors': linksOf('{"replays": 0, "recoveries": 0, "crc": 0}'),
  };

  const { code, stdout } = await pynvmlTelling(context, agreeing);

  expect([code, stdout]).toEqual([0, expect.stringContaining(' 0 moved, 0 differ,')]);
  for (const name of Object.keys(agreeing))
    expect(stdout).toMatch(new RegExp(`^\\| ${name} +\\| pynvml .*\\| agrees +\\| 0000:1b:00\\.0`, 'm'));
});

test('where pynvml tells something else of them it is named', async (context) => {
  const { code, stdout } = await pynvmlTelling(context, {
    'nvlinks.remoteType': linksOf('"SWITCH"').replace('"SWITCH"', '"GPU"'),
  });

  expect([code, stdout]).toEqual([1, expect.stringContaining(' 1 differ,')]);
  expect(stdout).toMatch(/^\| nvlinks\.remoteType .*\| \{"0":"switch"\} +\| \{"0":"gpu"\} +\| differs/m);
});

const mig = {
  index: 1,
  uuid: 'MIG-01234567-89ab-cdef-0123-456789abcdef',
  name: 'NVIDIA H100 80GB HBM3 MIG 1g.10gb',
  gpuInstanceId: 7,
  computeInstanceId: 0,
  memoryBytes: { total: 10 * 2 ** 30, reserved: 1, used: 2 },
  slices: { multiprocessors: 14, gpuInstance: 1, computeInstance: 1, mebibytes: 9856 },
};
const rates = [
  { id: 220, type: 'u64', value: 0x30f },
  { id: 222, type: 'u64', value: 0x50c },
] as const;

const { status, stderr, error } = spawnSync('python3', ['-c', 'import pynvml'], { encoding: 'utf8' });

// Not a skipped test where there is none: .ci/run would take that for a failure, and pynvml is nothing that we ask for.
if (status !== 0)
  process.stderr.write(
    `Skipped: pynvml itself on the C fake: ${error?.message ?? stderr.trim().split('\n').at(-1)}\n`,
  );
else
  test('pynvml itself reads the same from the C fake', async (context) => {
    const driver = fakeDriver(context, {
      nvmlVersion: '13.580.126.20',
      confCompute: { environment: 2, feature: 1, devTools: 0 },
      gpus: [
        told,
        h100(1, { fields: [...(h100(1).fields ?? []), ...rates] }),
        h100(2, {
          migMode: { current: 1, pending: 1 },
          migDevices: [mig],
        }),
      ],
    });
    const nvidiaSmi = writeFakeNvidiaSmi(driver.folder, [smiTold, smiH100(1), smiH100(2)]);

    const { stdout } = await runOracle(driver, nvidiaSmi, 'python3');

    const rows = stdout.split('\n').filter((line) => line.includes('| pynvml '));
    expect(rows.length).toBeGreaterThan(150);
    expect(rows.filter((row) => !/\| (agrees|missing in both) /.test(row))).toEqual([]);
    expect(rows.filter((row) => /\[error: (?!Not Supported\])/.test(row))).toEqual([]);
    expect(stdout).toMatch(/^\| migDevices\.slices .*\| agrees/m);
  });
