import { expect, test } from 'vitest';

import { fakeDriver } from '../support/agent-driver.ts';
import { type FakeSmiGpu, smiH100, writeFakeNvidiaSmi } from '../support/fake-nvidia-smi.ts';
import { h100 } from '../support/nvml/fake-nvml.ts';
import { runOracle } from '../support/oracle-run.ts';

const used = {
  processes: [
    { pid: 4001, usedBytes: 2 ** 31 },
    { pid: 4002, usedBytes: null },
  ],
  graphicsProcesses: [{ pid: 4001, usedBytes: 2 ** 31 }],
};
const gpus = [
  h100(0, { ...used, peers: [{ index: 1, ancestor: 50, p2p: [0, 0, 0, 1, 5] }] }),
  h100(1, { peers: [{ index: 0, ancestor: 50, p2p: [0, 0, 0, 1, null] }] }),
];

function processInfo(pid: number, type: string, memory: string): string {
  const instances = '<gpu_instance_id>N/A</gpu_instance_id><compute_instance_id>N/A</compute_instance_id>';
  return `<process_info>${instances}<pid>${pid}</pid><type>${type}</type><process_name>python3</process_name><used_memory>${memory}</used_memory></process_info>`;
}

/** Both GPUs as nvidia-smi tells of them. */
function smi(processes: string, way: string): FakeSmiGpu[] {
  const [first, second] = [smiH100(0), smiH100(1)];
  return [
    { ...first, xml: { ...first.xml, processes }, topology: [' X ', way] },
    { ...second, topology: ['NV18', ' X '] },
  ];
}

const listed = processInfo(4002, 'C', 'N/A') + processInfo(4001, 'C+G', '2048 MiB');

test('the processes and the ways to other GPUs are those that nvidia-smi tells', async (context) => {
  const driver = fakeDriver(context, { gpus });

  const { code, stdout } = await runOracle(driver, writeFakeNvidiaSmi(driver.folder, smi(listed, 'NV18')));

  expect([code, stdout]).toEqual([0, expect.stringContaining(' 0 moved, 0 differ,')]);
  expect(stdout).toMatch(
    /^\| processes\.usedBytes +\| xml processes +\| \{"4001 compute\+graphics":2147483648.*\| agrees/m,
  );
  expect(stdout).toMatch(/^\| peers\.way +\| topo -m +\| \{"0000:2b:00\.0":"NV18"\}.*\| agrees/m);
});

test('a process that only one side has is named, and so is another way', async (context) => {
  const driver = fakeDriver(context, { gpus });
  const processes = processInfo(4001, 'C+G', '2060 MiB') + processInfo(4003, 'C', '100 MiB');

  const { code, stdout } = await runOracle(driver, writeFakeNvidiaSmi(driver.folder, smi(processes, 'SYS')));

  expect([code, stdout]).toEqual([1, expect.stringContaining(' 2 differ,')]);
  expect(stdout).toMatch(
    /^\| processes\.usedBytes .*\| \{"4002 compute":null\} +\| \{"4003 compute":104857600\} +\| differs +\| 0000:1b/m,
  );
  expect(stdout).toMatch(
    /^\| peers\.way .*\| \{"0000:2b:00\.0":"NV18"\} +\| \{"0000:2b:00\.0":"SYS"\} +\| differs +\| 0000:1b/m,
  );
});
