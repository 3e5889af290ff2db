import type { Reading } from './reading.ts';

/**
 * All that is read of one physical GPU in one sample. Units are in the names. Each field is one answer of the driver, so
 * each can be missing for a reason of its own: `notSupported` on boards without the feature, `notSupportedByDriver`
 * on drivers without the call, `gpuLost` once the GPU has left the bus.
 */
export interface GpuReadings {
  /** Product name. Source: nvmlDeviceGetName. Oracle: nvidia-smi --query-gpu=name */
  readonly name: Reading<string>;
  /** Source: nvmlDeviceGetUUID. Oracle: nvidia-smi --query-gpu=uuid */
  readonly uuid: Reading<string>;
  /** Board serial; notSupported on consumer boards. Source: nvmlDeviceGetSerial. Oracle: --query-gpu=serial */
  readonly serial: Reading<string>;
  /** `0000:3b:00.0`: lower case, domain of at least 4 digits. Source: nvmlDeviceGetPciInfo_v3. Oracle: --query-gpu=pci.bus_id */
  readonly pciAddress: Reading<string>;
  /** Of /dev/nvidiaN; not always the index, and another after a reboot. Source: nvmlDeviceGetMinorNumber. Oracle: nvidia-smi -q, "Minor Number" */
  readonly minorNumber: Reading<number>;
  /** notSupported where GPU and host share memory (GB10). Source: nvmlDeviceGetMemoryInfo_v2. Oracle: --query-gpu=memory.total,memory.reserved,memory.used,memory.free */
  readonly memory: Reading<Memory>;
  /** Of the last 1/6 to 1 s; notSupported under MIG. Source: nvmlDeviceGetUtilizationRates. Oracle: --query-gpu=utilization.gpu,utilization.memory */
  readonly utilization: Reading<Utilization>;
  /** Of the video encoder (NVENC). Source: nvmlDeviceGetEncoderUtilization. Oracle: --query-gpu=utilization.encoder */
  readonly encoderPercent: Reading<number>;
  /** Of the video decoder (NVDEC). Source: nvmlDeviceGetDecoderUtilization. Oracle: --query-gpu=utilization.decoder */
  readonly decoderPercent: Reading<number>;
  /** Source: nvmlDeviceGetTemperature. Oracle: --query-gpu=temperature.gpu */
  readonly temperatureC: Reading<number>;
  /** notSupported on boards that do not measure it, such as the T4. Source: nvmlDeviceGetFieldValues, NVML_FI_DEV_MEMORY_TEMP (82). Oracle: --query-gpu=temperature.memory */
  readonly memoryTemperatureC: Reading<number>;
  /** The GPU halves its clocks from here on. Source: nvmlDeviceGetTemperatureThreshold(SLOWDOWN). Oracle: nvidia-smi -q -d TEMPERATURE */
  readonly slowdownTemperatureC: Reading<number>;
  /** The GPU switches itself off from here on. Source: nvmlDeviceGetTemperatureThreshold(SHUTDOWN). Oracle: nvidia-smi -q -d TEMPERATURE */
  readonly shutdownTemperatureC: Reading<number>;
  /** Whole board; mean of the last second on Ampere (except GA100) and newer. Source: nvmlDeviceGetPowerUsage. Oracle: --query-gpu=power.draw */
  readonly powerWatts: Reading<number>;
  /** The limit in force, whoever set it. Source: nvmlDeviceGetEnforcedPowerLimit. Oracle: --query-gpu=enforced.power.limit */
  readonly powerLimitWatts: Reading<number>;
  /** Source: nvmlDeviceGetPowerManagementDefaultLimit. Oracle: --query-gpu=power.default_limit */
  readonly defaultPowerLimitWatts: Reading<number>;
  /** Source: nvmlDeviceGetPowerManagementLimitConstraints. Oracle: --query-gpu=power.min_limit,power.max_limit */
  readonly powerLimitRange: Reading<PowerLimitRange>;
  /** Of the whole board since the driver was loaded; Volta and newer. Source: nvmlDeviceGetFieldValues, NVML_FI_DEV_TOTAL_ENERGY_CONSUMPTION (83). Oracle: dcgmi dmon -e 156, in mJ */
  readonly energyJoules: Reading<number>;
  /** Source: nvmlDeviceGetClockInfo(GRAPHICS). Oracle: --query-gpu=clocks.current.graphics */
  readonly graphicsClockMhz: Reading<number>;
  /** Source: nvmlDeviceGetClockInfo(SM). Oracle: --query-gpu=clocks.current.sm */
  readonly smClockMhz: Reading<number>;
  /** Source: nvmlDeviceGetClockInfo(MEM). Oracle: --query-gpu=clocks.current.memory */
  readonly memoryClockMhz: Reading<number>;
  /** What holds the clocks down right now. Source: nvmlDeviceGetCurrentClocksEventReasons. Oracle: --query-gpu=clocks_event_reasons.active */
  readonly clocksEventReasons: Reading<readonly ClocksEventReason[]>;
  /** 0 (fastest) … 15. Source: nvmlDeviceGetPerformanceState. Oracle: --query-gpu=pstate */
  readonly performanceState: Reading<number>;
  /** Source: nvmlDeviceGetEccMode. Oracle: --query-gpu=ecc.mode.current,ecc.mode.pending */
  readonly eccMode: Reading<Mode>;
  /** Since the driver was loaded. Source: nvmlDeviceGetTotalEccErrors(CORRECTED, VOLATILE). Oracle: --query-gpu=ecc.errors.corrected.volatile.total */
  readonly eccCorrectedVolatile: Reading<number>;
  /** Since the driver was loaded. Source: nvmlDeviceGetTotalEccErrors(UNCORRECTED, VOLATILE). Oracle: --query-gpu=ecc.errors.uncorrected.volatile.total */
  readonly eccUncorrectedVolatile: Reading<number>;
  /** Of the board's life. Source: nvmlDeviceGetTotalEccErrors(CORRECTED, AGGREGATE). Oracle: --query-gpu=ecc.errors.corrected.aggregate.total */
  readonly eccCorrectedAggregate: Reading<number>;
  /** Of the board's life. Source: nvmlDeviceGetTotalEccErrors(UNCORRECTED, AGGREGATE). Oracle: --query-gpu=ecc.errors.uncorrected.aggregate.total */
  readonly eccUncorrectedAggregate: Reading<number>;
  /** Ampere and newer. Source: nvmlDeviceGetRemappedRows. Oracle: --query-remapped-rows=… */
  readonly remappedRows: Reading<RemappedRows>;
  /** Before Ampere. Source: nvmlDeviceGetRetiredPagesPendingStatus. Oracle: --query-gpu=retired_pages.pending */
  readonly retiredPagesPending: Reading<boolean>;
  /** The driver's own verdict. Source: nvmlDeviceGetFieldValues, NVML_FI_DEV_GET_GPU_RECOVERY_ACTION (230). Oracle: nvidia-smi -q, "GPU Recovery Action" */
  readonly recoveryAction: Reading<RecoveryAction>;
  /** Packets that the PCIe link had to send again, since the GPU was reset. Source: nvmlDeviceGetFieldValues, NVML_FI_DEV_PCIE_REPLAY_COUNTER (94). Oracle: nvidia-smi -q, "Replays Since Reset" */
  readonly pcieReplays: Reading<number>;
  /** Source: nvmlDeviceGetMigMode. Oracle: --query-gpu=mig.mode.current,mig.mode.pending */
  readonly migMode: Reading<Mode>;
  /** Source: nvmlDeviceGetPersistenceMode. Oracle: --query-gpu=persistence_mode */
  readonly persistenceMode: Reading<boolean>;
}

export interface Memory {
  readonly totalBytes: number;
  /** Held by the driver and firmware; not part of `usedBytes`. */
  readonly reservedBytes: number;
  readonly usedBytes: number;
  readonly freeBytes: number;
}

/** Share of the time in which a kernel ran, and in which memory was read or written. */
export interface Utilization {
  readonly gpuPercent: number;
  readonly memoryPercent: number;
}

export interface PowerLimitRange {
  readonly minWatts: number;
  readonly maxWatts: number;
}

/** `pending` takes effect at the next reset or reboot. */
export interface Mode {
  readonly current: boolean;
  readonly pending: boolean;
}

export interface RemappedRows {
  readonly correctable: number;
  readonly uncorrectable: number;
  /** A remap waits for a reset. */
  readonly pending: boolean;
  /** A row could not be remapped. */
  readonly failed: boolean;
}

/** nvmlClocksEventReason* of nvml.h, by bit. */
export const clocksEventReasonBits = {
  gpuIdle: 0x1,
  applicationsClocksSetting: 0x2,
  swPowerCap: 0x4,
  hwSlowdown: 0x8,
  syncBoost: 0x10,
  swThermalSlowdown: 0x20,
  hwThermalSlowdown: 0x40,
  hwPowerBrakeSlowdown: 0x80,
  displayClockSetting: 0x100,
} as const;

export type ClocksEventReason = keyof typeof clocksEventReasonBits;

/** NVML_GPU_RECOVERY_ACTION_* of nvml.h, by value. */
export const recoveryActions = [
  'none',
  'gpuReset',
  'nodeReboot',
  'drainP2P',
  'drainAndReset',
  'recoverImexDomain',
] as const;

export type RecoveryAction = (typeof recoveryActions)[number] | `unknown${number}`;

/** The driver call behind each reading; scenario files name a failing call by it. */
export const symbolOf: Readonly<Record<keyof GpuReadings, string>> = {
  name: 'nvmlDeviceGetName',
  uuid: 'nvmlDeviceGetUUID',
  serial: 'nvmlDeviceGetSerial',
  pciAddress: 'nvmlDeviceGetPciInfo_v3',
  minorNumber: 'nvmlDeviceGetMinorNumber',
  memory: 'nvmlDeviceGetMemoryInfo_v2',
  utilization: 'nvmlDeviceGetUtilizationRates',
  encoderPercent: 'nvmlDeviceGetEncoderUtilization',
  decoderPercent: 'nvmlDeviceGetDecoderUtilization',
  temperatureC: 'nvmlDeviceGetTemperature',
  memoryTemperatureC: 'nvmlDeviceGetFieldValues',
  slowdownTemperatureC: 'nvmlDeviceGetTemperatureThreshold',
  shutdownTemperatureC: 'nvmlDeviceGetTemperatureThreshold',
  powerWatts: 'nvmlDeviceGetPowerUsage',
  powerLimitWatts: 'nvmlDeviceGetEnforcedPowerLimit',
  defaultPowerLimitWatts: 'nvmlDeviceGetPowerManagementDefaultLimit',
  powerLimitRange: 'nvmlDeviceGetPowerManagementLimitConstraints',
  energyJoules: 'nvmlDeviceGetFieldValues',
  graphicsClockMhz: 'nvmlDeviceGetClockInfo',
  smClockMhz: 'nvmlDeviceGetClockInfo',
  memoryClockMhz: 'nvmlDeviceGetClockInfo',
  clocksEventReasons: 'nvmlDeviceGetCurrentClocksEventReasons',
  performanceState: 'nvmlDeviceGetPerformanceState',
  eccMode: 'nvmlDeviceGetEccMode',
  eccCorrectedVolatile: 'nvmlDeviceGetTotalEccErrors',
  eccUncorrectedVolatile: 'nvmlDeviceGetTotalEccErrors',
  eccCorrectedAggregate: 'nvmlDeviceGetTotalEccErrors',
  eccUncorrectedAggregate: 'nvmlDeviceGetTotalEccErrors',
  remappedRows: 'nvmlDeviceGetRemappedRows',
  retiredPagesPending: 'nvmlDeviceGetRetiredPagesPendingStatus',
  recoveryAction: 'nvmlDeviceGetFieldValues',
  pcieReplays: 'nvmlDeviceGetFieldValues',
  migMode: 'nvmlDeviceGetMigMode',
  persistenceMode: 'nvmlDeviceGetPersistenceMode',
};

/** Every reading, in the order in which a sample takes them: what names the GPU comes first. */
export const readingNames = Object.keys(symbolOf) as (keyof GpuReadings)[];
