import { spawnSync } from 'node:child_process';
import { expect, type TestContext, test } from 'vitest';

import { checks } from '../oracle/findings.ts';
import { fakeDriver } from '../support/agent-driver.ts';
import { smiH100, writeFakeNvidiaSmi } from '../support/fake-nvidia-smi.ts';
import { told } from '../support/nvml/every-reading.ts';
import { h100 } from '../support/nvml/fake-nvml.ts';
import { runOracle, writeFakePython } from '../support/oracle-run.ts';
import { smiTold } from '../support/smi-told.ts';

/** What no sample holds, and is asked for. */
const inquired = {
  processes: [
    { pid: 4001, usedBytes: 2 ** 31 },
    { pid: 4002, usedBytes: null },
  ],
  graphicsProcesses: [{ pid: 4001, usedBytes: 2 ** 31 }],
  mpsProcesses: [{ pid: 4003, usedBytes: 2 ** 20 }],
  peers: [{ index: 1, ancestor: 10, p2p: [0, 1, 3, null, 5] }],
  gpm: { 1: 90.5, 2: 84, 3: 31.5, 4: 1, 5: 47, 6: 2, 7: 3, 9: 4, 10: 42, 11: 5, 12: 6, 13: 7 },
};

/** A pynvml that answers only this, by the name of what is compared, and only of the first of two GPUs. */
function pynvmlTelling(context: TestContext, answers: Readonly<Record<string, string>>) {
  const driver = fakeDriver(context, { gpus: [h100(0, inquired), h100(1)] });
  const byExpression = checks.flatMap(({ name, check: { from } }) => {
    const [source = ''] = from;
    const answer = source.startsWith('pynvml ') ? answers[name] : undefined;
    return answer === undefined ? [] : [[source.slice('pynvml '.length), answer]];
  });
  const python = writeFakePython(driver, {
    [String(smiH100(0).query['uuid'])]: Object.fromEntries(byExpression),
  });
  const { processes: _, ...xml } = smiH100(0).xml;
  const nvidiaSmi = writeFakeNvidiaSmi(driver.folder, [{ ...smiH100(0), xml }, smiH100(1)]);
  return runOracle(driver, nvidiaSmi, python);
}

const linksOf = (value: string) => `[${Array(18).fill(value).join(', ')}]`;

test('what pynvml tells of links, processes, ways and GPM is compared', async (context) => {
  const agreeing = {
    'nvlinks.remoteType': linksOf('"SWITCH"'),
    'nvlinks.errors': linksOf('{"replays": 0, "recoveries": 0, "crc": 0}'),
    'processes.usedBytes': '{"4003 mps": 1048576, "4002 compute": null, "4001 compute+graphics": 2147483648}',
    'peers.commonAncestor': '{"0000:2b:00.0": "SINGLE"}',
    'peers.nvlink': '{"0000:2b:00.0": "IOH_TOPOLOGY_NOT_SUPPORTED"}',
    'gpm.graphicsPercent': '90.5',
  };

  const { code, stdout } = await pynvmlTelling(context, { ...agreeing, 'gpm.dramBandwidthPercent': '25.0' });

  expect([code, stdout]).toEqual([0, expect.stringContaining(' 1 moved, 0 differ,')]);
  for (const name of Object.keys(agreeing))
    expect(stdout).toMatch(new RegExp(`^\\| ${name} +\\| pynvml .*\\| agrees +\\| 0000:1b:00\\.0`, 'm'));
  expect(stdout).toMatch(/^\| gpm\.dramBandwidthPercent .*\| 42 +\| 25\.0 +\| moved/m);
});

test('where pynvml tells something else of them it is named', async (context) => {
  const { code, stdout } = await pynvmlTelling(context, {
    'nvlinks.remoteType': linksOf('"SWITCH"').replace('"SWITCH"', '"GPU"'),
    'processes.usedBytes': '{"4003 mps": 1048576, "4001 compute+graphics": 2147483648}',
    'peers.pci': '{"0000:2b:00.0": "DISABLED_BY_REGKEY"}',
    'gpm.smPercent': '12.5',
  });

  expect([code, stdout]).toEqual([1, expect.stringContaining(' 4 differ,')]);
  expect(stdout).toMatch(/^\| nvlinks\.remoteType .*\| \{"0":"switch"\} +\| \{"0":"gpu"\} +\| differs/m);
  expect(stdout).toMatch(
    /^\| processes\.usedBytes +\| pynvml .*\| \{"4002 compute":null\} +\| \{\} +\| differs/m,
  );
  expect(stdout).toMatch(
    /^\| peers\.pci .*\| \{"0000:2b:00\.0":"notSupported"\} +\| \{"0000:2b:00\.0":"disabledByRegkey"\} +\| differs/m,
  );
  expect(stdout).toMatch(/^\| gpm\.smPercent .*\| 84 +\| 12\.5 +\| differs/m);
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
        { ...told, ...inquired },
        h100(1, { fields: [...(h100(1).fields ?? []), ...rates], peers: [{ index: 0, ancestor: 40 }] }),
        h100(2, {
          migMode: { current: 1, pending: 1 },
          migDevices: [mig],
          processes: [{ pid: 4004, usedBytes: 1, gpuInstance: 7, computeInstance: 0 }],
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
