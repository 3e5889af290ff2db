import type { Memory } from './load-readings.ts';
import type { Reading } from './reading.ts';

/** How a GPU is set up, and what it is divided into. */
export interface ModeReadings {
  /** `default`, `exclusiveProcess` or `prohibited`. Source: nvmlDeviceGetComputeMode. Oracle: --query-gpu=compute_mode */
  readonly computeMode: Reading<string>;
  /** Source: nvmlDeviceGetVirtualizationMode. Oracle: nvidia-smi -q, "Virtualization Mode" */
  readonly virtualizationMode: Reading<string>;
  /** Source: nvmlDeviceGetPersistenceMode. Oracle: --query-gpu=persistence_mode */
  readonly persistenceMode: Reading<boolean>;
  /** Source: nvmlDeviceGetMigMode. Oracle: --query-gpu=mig.mode.current,mig.mode.pending */
  readonly migMode: Reading<Mode>;
  /** Its MIG devices, by index; none while MIG is off. Source: nvmlDeviceGetMigDeviceHandleByIndex. Oracle: nvidia-smi -L */
  readonly migDevices: Reading<readonly MigDevice[]>;
  /** Of the NVLink fabric: Hopper and newer with NVSwitches. Source: nvmlDeviceGetGpuFabricInfoV. Oracle: nvidia-smi -q, "Fabric" */
  readonly fabric: Reading<Fabric>;
}

export const modeSymbols: Readonly<Record<keyof ModeReadings, string>> = {
  computeMode: 'nvmlDeviceGetComputeMode',
  virtualizationMode: 'nvmlDeviceGetVirtualizationMode',
  persistenceMode: 'nvmlDeviceGetPersistenceMode',
  migMode: 'nvmlDeviceGetMigMode',
  migDevices: 'nvmlDeviceGetMigDeviceHandleByIndex',
  fabric: 'nvmlDeviceGetGpuFabricInfoV',
};

/** `pending` takes effect at the next reset or reboot. */
export interface Mode {
  readonly current: boolean;
  readonly pending: boolean;
}

/** One MIG device: a share of a GPU that a container can be given alone. */
export interface MigDevice {
  /** As nvidia-smi counts them; not without gaps. */
  readonly index: number;
  /** Source: nvmlDeviceGetUUID. Oracle: nvidia-smi -L */
  readonly uuid: Reading<string>;
  /** `NVIDIA H100 80GB HBM3 MIG 1g.10gb`. Source: nvmlDeviceGetName. Oracle: nvidia-smi -L, its profile */
  readonly name: Reading<string>;
  /** Source: nvmlDeviceGetGpuInstanceId. Oracle: nvidia-smi mig -lgi */
  readonly gpuInstanceId: Reading<number>;
  /** Source: nvmlDeviceGetComputeInstanceId. Oracle: nvidia-smi mig -lci */
  readonly computeInstanceId: Reading<number>;
  /** Source: nvmlDeviceGetMemoryInfo_v2. Oracle: none of nvidia-smi, which tells other shares; pynvml nvmlDeviceGetMemoryInfo(mig, nvmlMemory_v2) */
  readonly memory: Reading<Memory>;
  /** Source: nvmlDeviceGetAttributes_v2. Oracle: none of nvidia-smi, which tells other shares; pynvml nvmlDeviceGetAttributes(mig) */
  readonly slices: Reading<MigSlices>;
}

export interface MigSlices {
  readonly multiprocessors: number;
  readonly gpuInstanceSlices: number;
  readonly computeInstanceSlices: number;
}

/** `status` counts while `state` is completed. */
export interface Fabric {
  readonly state: 'notSupported' | 'notStarted' | 'inProgress' | 'completed' | `unknown${number}`;
  /** nvmlReturn_t: 0 while all is well. */
  readonly status: number;
  /** 32 hexadecimal digits. */
  readonly clusterUuid: string;
  readonly cliqueId: number;
  /** What is wrong, by the names of NVML_GPU_FABRIC_HEALTH_MASK_*; null where nothing is, as far as the driver tells, and it does not tell all. */
  readonly faults: readonly string[] | null;
}
