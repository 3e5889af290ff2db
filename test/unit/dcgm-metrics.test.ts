import { expect, test } from 'vitest';

import type { DriverState, GpuState, Snapshot } from '../../src/core/snapshot.ts';
import { dcgmMetrics, pciBusId } from '../../src/server/dcgm-metrics.ts';
import { XidBook } from '../../src/server/events/xid-book.ts';
import type { GpuSources } from '../../src/server/gpu-metrics.ts';
import { agentMetrics } from '../../src/server/metrics.ts';
import { contextOf } from '../support/answers.ts';
import { eventLog, xidEvent } from '../support/events.ts';
import { gpu, snapshot } from '../support/gpus.ts';

interface Sample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

async function textOf(now: Snapshot | (() => Snapshot), sources: Partial<GpuSources> = {}): Promise<string> {
  const current = typeof now === 'function' ? now : () => now;
  return agentMetrics(() => contextOf(current()), { node: 'gpu-7', readings: true, ...sources }).text();
}

function samplesIn(text: string, name: string): Sample[] {
  return [...text.matchAll(new RegExp(`^${name}(?:\\{(.*)\\})? (.*)$`, 'gm'))].map(
    ([, labels = '', value]) => ({
      labels: Object.fromEntries([...labels.matchAll(/(\w+)="([^"]*)"/g)].map(([, key, one]) => [key, one])),
      value: Number(value),
    }),
  );
}

/** All samples of GPU readings, as `NAME value`. */
function dcgmIn(text: string): string[] {
  return [...text.matchAll(/^(DCGM_\w+)\{.*\} (.*)$/gm)].map(([, name, value]) => `${name} ${value}`);
}

function xidLog(slot: string, xid: number): XidBook {
  const book = new XidBook();
  book.note(xidEvent(slot, xid, { atMs: 1_700_000_005_500 }));
  return book;
}

const gone: DriverState = {
  state: 'unavailable',
  code: 'DRIVER_NOT_FOUND',
  message: '',
  hint: '',
  sinceMs: 0,
};

test('a healthy H100 is shown as dcgm-exporter shows it', async () => {
  const text = await textOf(snapshot([gpu(0, { powerWatts: 350.504 })]), { xids: () => new XidBook() });

  expect(dcgmIn(text)).toEqual([
    'DCGM_FI_DEV_SM_CLOCK 1755',
    'DCGM_FI_DEV_MEM_CLOCK 2619',
    'DCGM_FI_DEV_MEMORY_TEMP 61',
    'DCGM_FI_DEV_GPU_TEMP 55',
    'DCGM_FI_DEV_POWER_USAGE 350.504',
    'DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION 123456789',
    'DCGM_FI_DEV_PCIE_REPLAY_COUNTER 0',
    'DCGM_FI_DEV_GPU_UTIL 60',
    'DCGM_FI_DEV_MEM_COPY_UTIL 20',
    'DCGM_FI_DEV_ENC_UTIL 0',
    'DCGM_FI_DEV_DEC_UTIL 0',
    'DCGM_FI_DEV_XID_ERRORS 0',
    `DCGM_FI_DEV_FB_FREE ${59 * 1024}`,
    `DCGM_FI_DEV_FB_USED ${20 * 1024}`,
    'DCGM_FI_DEV_FB_RESERVED 1024',
    'DCGM_FI_DEV_UNCORRECTABLE_REMAPPED_ROWS 0',
    'DCGM_FI_DEV_CORRECTABLE_REMAPPED_ROWS 0',
    'DCGM_FI_DEV_ROW_REMAP_FAILURE 0',
  ]);
  expect(text).toContain(
    '# HELP DCGM_FI_DEV_FB_USED Framebuffer memory used (in MiB).\n# TYPE DCGM_FI_DEV_FB_USED gauge',
  );
  expect(text).toContain('# TYPE DCGM_FI_DEV_UNCORRECTABLE_REMAPPED_ROWS counter');
  expect(text).toContain(
    '# HELP DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION Total energy consumption since boot (in mJ).\n# TYPE DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION counter',
  );
  expect(text).toMatch(
    /^DCGM_FI_DEV_GPU_TEMP\{gpu="0",UUID="GPU-[-0]+",pci_bus_id="00000000:0A:00\.0",device="nvidia0",modelName="NVIDIA H100 80GB HBM3",Hostname="gpu-7",DCGM_FI_DRIVER_VERSION="580\.126\.20"\} 55$/m,
  );
});

test('what cannot be read has no sample, and nothing else is missing for it', async () => {
  const text = await textOf(
    snapshot([
      gpu(0, {
        powerWatts: { missing: 'notSupported' },
        memory: { missing: 'noPermission' },
        memoryTemperatureC: { missing: 'notSupported' },
        energyJoules: { missing: 'notSupported' },
      }),
      gpu(1),
    ]),
  );

  for (const name of ['POWER_USAGE', 'FB_USED', 'MEMORY_TEMP', 'TOTAL_ENERGY_CONSUMPTION'])
    expect(samplesIn(text, `DCGM_FI_DEV_${name}`).map(({ labels }) => labels['gpu'])).toEqual(['1']);
  expect(samplesIn(text, 'DCGM_FI_DEV_GPU_TEMP')).toHaveLength(2);
  expect(samplesIn(text, 'DCGM_FI_DEV_XID_ERRORS')).toEqual([]);
});

test.for(['lost', 'hung', 'vanished'] as const)('a GPU that is %s has no old readings', async (trouble) => {
  let gpus: GpuState[] = [gpu(0), gpu(1)];
  const metrics = agentMetrics(() => contextOf(snapshot(gpus)), {
    node: 'gpu-7',
    readings: true,
    xids: () => xidLog('0000:11:00', 79),
  });
  expect(samplesIn(await metrics.text(), 'DCGM_FI_DEV_GPU_TEMP')).toHaveLength(2);

  gpus = [gpu(0), gpu(1, {}, { trouble })];
  const text = await metrics.text();

  const left = samplesIn(text, 'DCGM_FI_DEV_.*?').filter(({ labels }) => labels['gpu'] === '1');
  expect(left.map(({ value }) => value)).toEqual(trouble === 'vanished' ? [] : [79]);
  expect(samplesIn(text, 'DCGM_FI_DEV_UNCORRECTABLE_REMAPPED_ROWS')).toHaveLength(1);
});

test('without a driver there are no readings', async () => {
  expect(dcgmIn(await textOf(snapshot([gpu(0)], gone)))).toEqual([]);
});

test('simulated GPUs are called that', async () => {
  const [sample] = samplesIn(await textOf(snapshot([gpu(0)], undefined, true)), 'DCGM_FI_DEV_GPU_UTIL');

  expect(sample?.labels['simulated']).toBe('true');
});

test('who has a GPU is on each of its samples', async () => {
  const holder = { container: 'main', namespace: 'ml', pod: 'train-0' };
  const text = await textOf(snapshot([gpu(0), gpu(1)]), {
    holders:
      () =>
      ({ index }) =>
        index === 1 ? holder : undefined,
  });

  for (const { labels } of samplesIn(text, 'DCGM_FI_DEV_.*?'))
    expect(labels['pod']).toBe(labels['gpu'] === '1' ? 'train-0' : undefined);
  expect(text).toContain(',container="main",namespace="ml",pod="train-0"}');
});

test('an Xid is told with its time, also of a GPU that the driver does not list', async () => {
  const text = async (slot: string) =>
    textOf(snapshot([gpu(0)]), { readings: false, xids: () => xidLog(slot, 79) });
  const name = 'k8s_gpu_mcp_xid_last_timestamp_seconds';

  expect(samplesIn(await text('0000:0a:00'), name)).toEqual([
    {
      labels: {
        gpu: '0',
        UUID: 'GPU-00000000-0000-0000-0000-000000000000',
        pci_bus_id: '00000000:0A:00.0',
        xid: '79',
        fatal: 'true',
      },
      value: 1_700_000_005.5,
    },
  ]);
  expect(samplesIn(await text('0000:3b:00'), name)).toMatchObject([
    { labels: { pci_bus_id: '00000000:3B:00.0', xid: '79', fatal: 'true' } },
  ]);
  expect(dcgmIn(await text('0000:0a:00'))).toEqual([]);
});

test('while the kernel log cannot be read there is no word of Xids', async () => {
  const text = await textOf(snapshot([gpu(0)]), { xids: () => undefined });

  expect(text).not.toMatch(/^(DCGM_FI_DEV_XID_ERRORS|k8s_gpu_mcp_xid\w*)\{/m);
});

test('whether a source can be read is told only of those that were asked for', async () => {
  const readable = async (sources: Partial<GpuSources>) =>
    (await textOf(snapshot([gpu(0)]), sources)).match(/^k8s_gpu_mcp_\w+_readable \d$/gm);

  expect(await readable({})).toBeNull();
  expect(await readable({ xids: () => new XidBook(), holders: () => () => undefined })).toEqual([
    'k8s_gpu_mcp_kernel_log_readable 1',
    'k8s_gpu_mcp_pod_resources_readable 1',
  ]);
  expect(await readable({ readings: false, xids: () => undefined })).toEqual([
    'k8s_gpu_mcp_kernel_log_readable 0',
  ]);
  expect(await readable({ holders: () => undefined })).toEqual(['k8s_gpu_mcp_pod_resources_readable 0']);
});

test('GPUs are counted by verdict, each verdict by name', async () => {
  const failing = gpu(1, {
    remappedRows: { correctable: 0, uncorrectable: 1, pending: false, failed: true },
  });
  const text = await textOf(snapshot([gpu(0), failing, gpu(2, {}, { trouble: 'vanished' })]));
  const counts = samplesIn(text, 'k8s_gpu_mcp_gpus').map(({ labels, value }) => [labels['verdict'], value]);

  expect(Object.fromEntries(counts)).toEqual({ ok: 1, watch: 0, unknown: 0, degraded: 0, failed: 2 });
});

test('GPUs are counted by the verdict that get_gpu_health gives: an Xid of the last day is part of it', async () => {
  const events = eventLog([xidEvent('0000:0a:00', 79)]);
  const text = await agentMetrics(() => contextOf(snapshot([gpu(0), gpu(1)]), events)).text();
  const counts = samplesIn(text, 'k8s_gpu_mcp_gpus').map(({ labels, value }) => [labels['verdict'], value]);

  expect(Object.fromEntries(counts)).toMatchObject({ ok: 1, watch: 1 });
});

test('there is one series for each GPU and metric, whatever happens', async () => {
  const gpus = Array.from({ length: 16 }, (_, index) => gpu(index));
  const text = await textOf(snapshot(gpus), { xids: () => new XidBook() });

  expect(dcgmIn(text)).toHaveLength(16 * dcgmMetrics.length);
});

test('a PCI address is written as DCGM writes it', () => {
  expect([pciBusId('0000:3b:00.0'), pciBusId('10000:3b:00.0'), pciBusId(null)]).toEqual([
    '00000000:3B:00.0',
    '00010000:3B:00.0',
    null,
  ]);
});
