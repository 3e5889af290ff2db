import type { Inquiries } from '../../src/core/driver.ts';
import { type GpmMetric, gpmMetricNames } from '../../src/core/gpm.ts';
import { type P2pCapability, p2pCapabilities } from '../../src/core/topology.ts';
import {
  type Check,
  camelCase,
  drift,
  type Form,
  isAbsence,
  json,
  mebibytes,
  type Untold,
  words,
} from './check.ts';
import { inForm, one, part } from './pynvml-check.ts';

/** What NVML calls the units. */
const gpmUnits: Readonly<Record<GpmMetric, string>> = {
  graphicsPercent: 'GRAPHICS_UTIL',
  smPercent: 'SM_UTIL',
  smOccupancyPercent: 'SM_OCCUPANCY',
  integerPercent: 'INTEGER_UTIL',
  tensorPercent: 'ANY_TENSOR_UTIL',
  tensorFp64Percent: 'DFMA_TENSOR_UTIL',
  tensorFp16Percent: 'HMMA_TENSOR_UTIL',
  tensorIntegerPercent: 'IMMA_TENSOR_UTIL',
  dramBandwidthPercent: 'DRAM_BW_UTIL',
  fp64Percent: 'FP64_UTIL',
  fp32Percent: 'FP32_UTIL',
  fp16Percent: 'FP16_UTIL',
};

/** The numbers are NVML's: pynvml has a tuple for one of its names. */
const capabilities: Readonly<Record<P2pCapability, number>> = {
  read: 0,
  write: 1,
  nvlink: 2,
  atomics: 3,
  pci: 4,
};

/** `4001 compute+graphics`, and under MIG the GPU instance and the compute instance. */
export function processName(pid: unknown, kinds: readonly unknown[], instances: readonly unknown[]): string {
  return [pid, kinds.join('+'), ...instances].join(' ');
}

const kindLetters = { C: 'compute', G: 'graphics', M: 'mps' };

/** `<process_info>` of each: what it uses by its name. */
const processInfos: Form = {
  slack: mebibytes.slack ?? 0,
  read(told) {
    const list = told === '' ? {} : json.read(told);
    if (typeof list !== 'object' || list === null) return told;
    const { process_info: infos = [] } = list as { process_info?: Record<string, string>[] };
    return Object.fromEntries(
      infos.map((info) => {
        const { pid, type = '', used_memory: used = '', ...others } = info;
        const kinds = Object.entries(kindLetters).flatMap(([letter, kind]) =>
          type.includes(letter) ? kind : [],
        );
        const instances = [others['gpu_instance_id'], others['compute_instance_id']];
        const name = processName(
          pid,
          kinds,
          instances.filter((id) => !isAbsence(id)),
        );
        return [name, isAbsence(used) ? null : mebibytes.read(used)];
      }),
    );
  },
};

const ancestors = words({
  INTERNAL: 'internal',
  SINGLE: 'PIX',
  MULTIPLE: 'PXB',
  HOSTBRIDGE: 'PHB',
  CPU: 'NODE',
  SYSTEM: 'SYS',
});

function ofPeers(name: string, form: Form, prefix: string, told: string): Check {
  return inForm(form, part(name, `peers(gpu, lambda peer: named('${prefix}', ${told}))`));
}

function untold(why: string, ...parts: readonly string[]): Untold[] {
  return parts.map((part) => ({ part, why }));
}

/** Who is there, too: it is by the process's name. */
const processes: Check = { ...one('processes(gpu)', drift.memory), part: 'usedBytes' };

/** What is asked of a GPU only when someone wants to know it. */
export const inquiryChecks: Readonly<Record<keyof Inquiries, readonly (Check | Untold)[]>> = {
  processes: [
    { ...processes, from: ['xml processes'], form: processInfos },
    processes,
    ...untold('the kernel tells it, not the driver', 'comm', 'state', 'startedAtMs', 'waitingMs'),
    ...untold(
      'the kernel and the kubelet tell it',
      'containerId',
      'runtime',
      'podUid',
      'attribution',
      'holders',
    ),
    ...untold('nvidia-smi pmon tells it, of moments of its own', 'utilization'),
    ...untold('what we have seen before', 'left'),
    ...untold('its instances tell which of the MIG devices it is on', 'migUuid'),
  ],
  peers: [
    ...untold('nvidia-smi topo tells it in tables for people', 'commonAncestor', ...p2pCapabilities),
    { part: 'way', of: (reading) => (reading as { way: unknown }).way, from: ['topo -m'], form: json },
    ofPeers('commonAncestor', ancestors, 'NVML_TOPOLOGY_', 'nvmlDeviceGetTopologyCommonAncestor(gpu, peer)'),
    ...Object.entries(capabilities).map(([name, index]) =>
      ofPeers(name, camelCase, 'NVML_P2P_STATUS_', `nvmlDeviceGetP2PStatus(gpu, peer, ${index})`),
    ),
  ],
  gpm: [
    ...untold('nvidia-smi tells no GPM', ...gpmMetricNames),
    ...gpmMetricNames.map((name) =>
      part(name, `gpm(gpu)[NVML_GPM_METRIC_${gpmUnits[name]}]`, drift.gpmPercent),
    ),
    ...untold('compared of whole GPUs only', 'instances'),
    ...untold('each has a window of its own', 'windowMs'),
  ],
};
