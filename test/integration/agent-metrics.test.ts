import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

import { startAgent, until } from '../support/agent.ts';
import { fakeDriver } from '../support/agent-driver.ts';
import { h100 } from '../support/nvml/fake-nvml.ts';
import { startFakeKubelet } from '../support/pod-resources.ts';

/** The lines of one metric. */
function samples(text: string, name: string): string[] {
  return text.split('\n').filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `));
}

test('readings of the driver are shown under the names of dcgm-exporter, with the pods that hold the GPUs', async (context) => {
  const driver = fakeDriver(context);
  const uuid = 'GPU-00000000-0000-4000-8000-000000000001';
  const kubelet = await startFakeKubelet([
    { namespace: 'ml', pod: 'train-0', container: 'cuda', devices: [uuid] },
  ]);
  const agent = await startAgent(context, {
    ...driver,
    args: [...driver.args, '--metrics-gpu', '--pod-resources-socket', kubelet.socket],
    env: { ...driver.env, NODE_NAME: 'gpu-7' },
  });
  const shown = async (name: string) => samples(await (await agent.health('/metrics')).text(), name);
  const temperature = () => shown('DCGM_FI_DEV_GPU_TEMP');
  const readable = () => shown('k8s_gpu_mcp_pod_resources_readable');

  const lines = await until('the pod is named', async () => {
    const now = await temperature();
    return now.some((line) => line.includes('pod="train-0"')) && now;
  });

  expect(lines).toHaveLength(2);
  expect(lines[1]).toMatch(
    new RegExp(
      `gpu="1",UUID="${uuid}",pci_bus_id="[0-9A-F]{8}:[0-9A-F]{2}:[0-9A-F]{2}\\.0",device="nvidia1",modelName="NVIDIA H100 80GB HBM3",Hostname="gpu-7",DCGM_FI_DRIVER_VERSION="580.126.20",container="cuda",namespace="ml",pod="train-0"`,
    ),
  );
  expect(lines[0]).not.toContain('pod=');
  expect(await readable()).toEqual(['k8s_gpu_mcp_pod_resources_readable 1']);

  kubelet.stop();
  await until('the pod is named no more', async () => !(await temperature()).join().includes('pod='));
  expect(await readable()).toEqual(['k8s_gpu_mcp_pod_resources_readable 0']);
  await until('why is told', async () =>
    agent.log().some(({ level, reason }) => level === 'warn' && String(reason).includes('no such socket')),
  );
});

test('the GPU of a DRA claim is found by its minor number, which is not its index', async (context) => {
  const gpus = [h100(0, { minorNumber: 1 }), h100(1, { minorNumber: 0 })];
  const driver = fakeDriver(context, { gpus });
  const kubelet = await startFakeKubelet([
    { pod: 'train-0', claimed: [{ driver: 'gpu.nvidia.com', device: 'gpu-0' }] },
  ]);
  const agent = await startAgent(context, {
    ...driver,
    args: [...driver.args, '--metrics-gpu', '--pod-resources-socket', kubelet.socket],
  });

  const lines = await until('the pod is named', async () => {
    const text = await (await agent.health('/metrics')).text();
    const now = samples(text, 'DCGM_FI_DEV_GPU_TEMP').filter((line) => line.includes('pod="train-0"'));
    return now.length > 0 && now;
  });

  expect(lines).toMatchObject([expect.stringContaining('gpu="1"')]);
});

test('what only some GPUs measure has samples of those', async (context) => {
  const fields = [
    { id: 82, type: 'u32', value: 77 },
    { id: 83, type: 'u64', value: 2 ** 41 + 5 },
    { id: 94, type: 'u32', value: 3 },
  ] as const;
  const gpus = [
    h100(0, { fields, encoder: { percent: 19, microseconds: 1 }, decoder: { percent: 23, microseconds: 1 } }),
    h100(1, { fields: [], encoder: null, decoder: null }),
  ];
  const driver = fakeDriver(context, { gpus });
  const agent = await startAgent(context, { ...driver, args: [...driver.args, '--metrics-gpu'] });

  const text = await until('both GPUs are shown', async () => {
    const now = await (await agent.health('/metrics')).text();
    return samples(now, 'DCGM_FI_DEV_GPU_TEMP').length === 2 && now;
  });

  const shown = (name: string) =>
    samples(text, `DCGM_FI_DEV_${name}`).map((line) => line.replace(/^.*gpu="(\d)".*\} /, '$1: '));
  expect(shown('MEMORY_TEMP')).toEqual(['0: 77']);
  expect(shown('TOTAL_ENERGY_CONSUMPTION')).toEqual(['0: 2199023255557']);
  expect(shown('PCIE_REPLAY_COUNTER')).toEqual(['0: 3']);
  expect(shown('ENC_UTIL')).toEqual(['0: 19']);
  expect(shown('DEC_UTIL')).toEqual(['0: 23']);
});

test('without the flags /metrics has the agent’s own state, the verdicts, and nothing of single GPUs', async (context) => {
  const driver = fakeDriver(context);
  const agent = await startAgent(context, driver);

  const text = await until('both GPUs are judged', async () => {
    const now = await (await agent.health('/metrics')).text();
    return samples(now, 'k8s_gpu_mcp_gpus').includes('k8s_gpu_mcp_gpus{verdict="ok"} 2') && now;
  });

  expect(text).not.toContain('DCGM_');
  expect(text).not.toContain('xid');
  expect(text).not.toContain('readable');
});

/** Without the capability the log is refused only where the kernel restricts it, as in a container its seccomp profile does. */
const restricted = readFileSync('/proc/sys/kernel/dmesg_restrict', 'utf8').trim() === '1';

test.skipIf(process.getuid?.() !== 0)(
  'the kernel log is read with the capability for it',
  async (context) => {
    const driver = fakeDriver(context);
    const agent = await startAgent(context, {
      ...driver,
      args: [...driver.args, '--kernel-log', '--metrics-gpu'],
    });

    const text = await until('both GPUs are said to have had no Xid', async () => {
      const now = await (await agent.health('/metrics')).text();
      const none = samples(now, 'DCGM_FI_DEV_XID_ERRORS').filter((line) => line.endsWith('} 0'));
      return none.length === 2 && now;
    });
    expect(samples(text, 'k8s_gpu_mcp_kernel_log_readable')).toEqual(['k8s_gpu_mcp_kernel_log_readable 1']);
    expect(agent.log().filter(({ level }) => level === 'warn')).toEqual([]);
  },
);

test.skipIf(process.getuid?.() !== 0 || !restricted)(
  'where the kernel log is refused that is logged once and told to the monitoring, and GPUs have no sample of it',
  async (context) => {
    const driver = fakeDriver(context);
    const agent = await startAgent(context, {
      ...driver,
      wrapper: ['setpriv', '--bounding-set=-syslog,-sys_admin'],
      args: [...driver.args, '--kernel-log', '--metrics-gpu'],
    });

    const text = await until('both GPUs are shown', async () => {
      const now = await (await agent.health('/metrics')).text();
      return samples(now, 'DCGM_FI_DEV_GPU_TEMP').length === 2 && now;
    });

    expect(samples(text, 'DCGM_FI_DEV_XID_ERRORS')).toEqual([]);
    expect(samples(text, 'k8s_gpu_mcp_kernel_log_readable')).toEqual(['k8s_gpu_mcp_kernel_log_readable 0']);
    expect(agent.log().filter(({ level }) => level === 'warn')).toMatchObject([
      { msg: 'the kernel log cannot be read', reason: expect.stringMatching(/^errno 1: .*SYSLOG/) },
    ]);
  },
);
