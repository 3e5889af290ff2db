import type { GpuReadings } from '../core/gpu.ts';
import type { DeviceHolder } from '../core/process.ts';
import { orNull } from '../core/reading.ts';
import type { GpuState, Snapshot } from '../core/snapshot.ts';

/** One metric of dcgm-exporter, and where we take it from. */
export interface DcgmMetric {
  readonly name: `DCGM_FI_${string}`;
  readonly type: 'gauge' | 'counter';
  readonly help: string;
  /** @param xid the last one of this GPU, 0 for none, null where the kernel log is not read */
  readonly of: (readings: GpuReadings, xid: number | null) => number | null;
}

/**
 * dcgm-exporter's default counters as far as NVML gives them, with its names, units, types and help texts, so that
 * dashboards and alerts made for it work. Source: NVIDIA/dcgm-exporter etc/default-counters.csv, d5e5f51.
 *
 * Not here: DCGM_FI_DEV_NVLINK_BANDWIDTH_TOTAL, which it calls a counter, but which DCGM makes the mean rate in MB/s since
 * its own sample before (NVML only counts KiB): neither NVML's count nor a rate over our interval would be that.
 * DCGM_FI_DEV_VGPU_LICENSE_STATUS is of vGPU guests. DCGM_FI_PROF_… comes from DCGM's profiling, not from NVML's readings.
 */
export const dcgmMetrics: readonly DcgmMetric[] = [
  {
    name: 'DCGM_FI_DEV_SM_CLOCK',
    type: 'gauge',
    help: 'SM clock frequency (in MHz).',
    of: ({ smClockMhz }) => orNull(smClockMhz),
  },
  {
    name: 'DCGM_FI_DEV_MEM_CLOCK',
    type: 'gauge',
    help: 'Memory clock frequency (in MHz).',
    of: ({ memoryClockMhz }) => orNull(memoryClockMhz),
  },
  {
    name: 'DCGM_FI_DEV_MEMORY_TEMP',
    type: 'gauge',
    help: 'Memory temperature (in C).',
    of: ({ memoryTemperatureC }) => orNull(memoryTemperatureC),
  },
  {
    name: 'DCGM_FI_DEV_GPU_TEMP',
    type: 'gauge',
    help: 'GPU temperature (in C).',
    of: ({ temperatureC }) => orNull(temperatureC),
  },
  {
    name: 'DCGM_FI_DEV_POWER_USAGE',
    type: 'gauge',
    help: 'Power draw (in W).',
    of: ({ powerWatts }) => orNull(powerWatts),
  },
  {
    name: 'DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION',
    type: 'counter',
    help: 'Total energy consumption since boot (in mJ).',
    of: ({ energyJoules }) => millijoules(orNull(energyJoules)),
  },
  {
    name: 'DCGM_FI_DEV_PCIE_REPLAY_COUNTER',
    type: 'counter',
    help: 'Total number of PCIe retries.',
    of: ({ pcieReplays }) => orNull(pcieReplays),
  },
  {
    name: 'DCGM_FI_DEV_GPU_UTIL',
    type: 'gauge',
    help: 'GPU utilization (in %).',
    of: ({ utilization }) => orNull(utilization)?.gpuPercent ?? null,
  },
  {
    name: 'DCGM_FI_DEV_MEM_COPY_UTIL',
    type: 'gauge',
    help: 'Memory utilization (in %).',
    of: ({ utilization }) => orNull(utilization)?.memoryPercent ?? null,
  },
  {
    name: 'DCGM_FI_DEV_ENC_UTIL',
    type: 'gauge',
    help: 'Encoder utilization (in %).',
    of: ({ encoderPercent }) => orNull(encoderPercent),
  },
  {
    name: 'DCGM_FI_DEV_DEC_UTIL',
    type: 'gauge',
    help: 'Decoder utilization (in %).',
    of: ({ decoderPercent }) => orNull(decoderPercent),
  },
  {
    name: 'DCGM_FI_DEV_XID_ERRORS',
    type: 'gauge',
    help: 'Value of the last XID error encountered.',
    of: (_, xid) => xid,
  },
  {
    name: 'DCGM_FI_DEV_FB_FREE',
    type: 'gauge',
    help: 'Framebuffer memory free (in MiB).',
    of: ({ memory }) => mebibytes(orNull(memory)?.freeBytes),
  },
  {
    name: 'DCGM_FI_DEV_FB_USED',
    type: 'gauge',
    help: 'Framebuffer memory used (in MiB).',
    of: ({ memory }) => mebibytes(orNull(memory)?.usedBytes),
  },
  {
    name: 'DCGM_FI_DEV_FB_RESERVED',
    type: 'gauge',
    help: 'Framebuffer memory reserved (in MiB).',
    of: ({ memory }) => mebibytes(orNull(memory)?.reservedBytes),
  },
  {
    name: 'DCGM_FI_DEV_UNCORRECTABLE_REMAPPED_ROWS',
    type: 'counter',
    help: 'Number of remapped rows for uncorrectable errors',
    of: ({ remappedRows }) => orNull(remappedRows)?.uncorrectable ?? null,
  },
  {
    name: 'DCGM_FI_DEV_CORRECTABLE_REMAPPED_ROWS',
    type: 'counter',
    help: 'Number of remapped rows for correctable errors',
    of: ({ remappedRows }) => orNull(remappedRows)?.correctable ?? null,
  },
  {
    name: 'DCGM_FI_DEV_ROW_REMAP_FAILURE',
    type: 'gauge',
    help: 'Whether remapping of rows has failed',
    of: ({ remappedRows }) => flag(orNull(remappedRows)?.failed),
  },
];

/** In dcgm-exporter's order; the last is ours, on simulated GPUs only. */
export const dcgmLabels = [
  'gpu',
  'UUID',
  'pci_bus_id',
  'device',
  'modelName',
  'Hostname',
  'DCGM_FI_DRIVER_VERSION',
  'container',
  'namespace',
  'pod',
  'simulated',
] as const;

export type DcgmLabels = { readonly [Name in (typeof dcgmLabels)[number]]?: string };

/** What is known of a GPU from elsewhere than the driver. */
export interface Beside {
  readonly node: string;
  /** The pod that has this GPU, if one alone has it. */
  readonly holderOf: (gpu: GpuState) => DeviceHolder | undefined;
  /** Null where the kernel log is not read. */
  readonly lastXidOf: (gpu: GpuState) => number | null;
}

/**
 * One sample of a metric for each GPU that has a value now. Of one that is lost, hung or gone nothing old is shown; its
 * last Xid stays while the driver still lists it, for that is read from the kernel log.
 */
export function dcgmSamples(
  metric: DcgmMetric,
  { gpus, driver, simulated }: Snapshot,
  beside: Beside,
): { labels: DcgmLabels; value: number }[] {
  if (driver.state !== 'ok') return [];
  const driverVersion = orNull(driver.info.driverVersion);
  return gpus.flatMap((gpu) => {
    if (gpu.trouble?.kind === 'vanished') return [];
    const fresh = gpu.trouble === null || metric.name === 'DCGM_FI_DEV_XID_ERRORS';
    const value = fresh ? metric.of(gpu.readings, beside.lastXidOf(gpu)) : null;
    if (value === null) return [];
    return [
      {
        labels: given({ ...labelsOf(gpu, driverVersion, beside), ...(simulated && { simulated: 'true' }) }),
        value,
      },
    ];
  });
}

function labelsOf(gpu: GpuState, driverVersion: string | null, { node, holderOf }: Beside) {
  const { uuid, name } = gpu.readings;
  const { container, namespace, pod } = holderOf(gpu) ?? {};
  return {
    gpu: String(gpu.index),
    UUID: orNull(uuid),
    pci_bus_id: pciBusId(orNull(gpu.readings.pciAddress)),
    device: `nvidia${gpu.index}`,
    modelName: orNull(name),
    Hostname: node,
    DCGM_FI_DRIVER_VERSION: driverVersion,
    ...(pod !== undefined && { container, namespace, pod }),
  };
}

function given(labels: Readonly<Record<string, string | null | undefined>>): DcgmLabels {
  return Object.fromEntries(Object.entries(labels).filter(([, value]) => value !== null));
}

/** As DCGM writes it: `0000:3b:00.0` → `00000000:3B:00.0`. */
export function pciBusId(address: string | null): string | null {
  if (address === null) return null;
  const [domain = '', ...rest] = address.split(':');
  return [domain.padStart(8, '0'), ...rest].join(':').toUpperCase();
}

/** As the driver counts it: whole. */
function millijoules(joules: number | null): number | null {
  return joules === null ? null : Math.round(joules * 1000);
}

function mebibytes(bytes: number | null | undefined): number | null {
  return bytes == null ? null : Math.floor(bytes / 2 ** 20);
}

function flag(value: boolean | undefined): number | null {
  return value === undefined ? null : Number(value);
}
