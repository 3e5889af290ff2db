import type { Reading } from './reading.ts';

/** Heat and power, and what they do to the clocks right now. */
export interface PowerReadings {
  /** Source: nvmlDeviceGetTemperature. Oracle: --query-gpu=temperature.gpu */
  readonly temperatureC: Reading<number>;
  /** Degrees left until the GPU slows itself down. Source: nvmlDeviceGetMarginTemperature. Oracle: --query-gpu=temperature.gpu.tlimit */
  readonly temperatureMarginC: Reading<number>;
  /** notSupported on boards that do not measure it, such as the T4. Source: nvmlDeviceGetFieldValues, NVML_FI_DEV_MEMORY_TEMP (82). Oracle: --query-gpu=temperature.memory */
  readonly memoryTemperatureC: Reading<number>;
  /** The GPU halves its clocks from here on. Source: nvmlDeviceGetTemperatureThreshold(SLOWDOWN). Oracle: nvidia-smi -q -d TEMPERATURE */
  readonly slowdownTemperatureC: Reading<number>;
  /** The GPU switches itself off from here on. Source: nvmlDeviceGetTemperatureThreshold(SHUTDOWN). Oracle: nvidia-smi -q -d TEMPERATURE */
  readonly shutdownTemperatureC: Reading<number>;
  /** The memory's own; from here on software slows the GPU. Source: nvmlDeviceGetTemperatureThreshold(MEM_MAX). Oracle: nvidia-smi -q -d TEMPERATURE */
  readonly maxMemoryTemperatureC: Reading<number>;
  /** From here on software slows the GPU. Source: nvmlDeviceGetTemperatureThreshold(GPU_MAX). Oracle: nvidia-smi -q -d TEMPERATURE */
  readonly maxTemperatureC: Reading<number>;
  /** The margin at which the GPU slows itself down: as a rule below 0. Source: nvmlDeviceGetFieldValues, NVML_FI_DEV_TEMPERATURE_SLOWDOWN_TLIMIT (194). Oracle: nvidia-smi -q, "GPU Slowdown T.Limit Temp" */
  readonly slowdownMarginC: Reading<number>;
  /** The margin at which it switches itself off. Source: nvmlDeviceGetFieldValues, NVML_FI_DEV_TEMPERATURE_SHUTDOWN_TLIMIT (193). Oracle: nvidia-smi -q, "GPU Shutdown T.Limit Temp" */
  readonly shutdownMarginC: Reading<number>;
  /** The margin from which on software slows the GPU: as a rule 0. Source: nvmlDeviceGetFieldValues, NVML_FI_DEV_TEMPERATURE_GPU_MAX_TLIMIT (196). Oracle: nvidia-smi -q, "GPU Max Operating T.Limit Temp" */
  readonly maxMarginC: Reading<number>;
  /** The same for the heat of the memory. Source: nvmlDeviceGetFieldValues, NVML_FI_DEV_TEMPERATURE_MEM_MAX_TLIMIT (195). Oracle: nvidia-smi -q, "Memory Max Operating T.Limit Temp" */
  readonly maxMemoryMarginC: Reading<number>;
  /** In percent of the speed at the highest noise that the board allows, as it is meant to be; none on boards that the chassis cools. Source: nvmlDeviceGetFanSpeed_v2. Oracle: --query-gpu=fan.speed */
  readonly fanPercents: Reading<readonly number[]>;
  /** Whole board; mean of the last second on Ampere (except GA100) and newer. Source: nvmlDeviceGetPowerUsage. Oracle: --query-gpu=power.draw */
  readonly powerWatts: Reading<number>;
  /** Right now. Source: nvmlDeviceGetFieldValues, NVML_FI_DEV_POWER_INSTANT (186). Oracle: --query-gpu=power.draw.instant */
  readonly instantPowerWatts: Reading<number>;
  /** Over the last second; asked rarely, for the driver takes milliseconds to tell. Source: nvmlDeviceGetFieldValues, NVML_FI_DEV_POWER_AVERAGE (185). Oracle: --query-gpu=power.draw.average */
  readonly averagePowerWatts: Reading<number>;
  /** Of GPU and CPU together, on modules of both. Source: nvmlDeviceGetFieldValues, NVML_FI_DEV_POWER_INSTANT (186), scope MODULE. Oracle: --query-gpu=module.power.draw.instant */
  readonly modulePowerWatts: Reading<number>;
  /** The limit in force, whoever set it. Source: nvmlDeviceGetEnforcedPowerLimit. Oracle: --query-gpu=enforced.power.limit */
  readonly powerLimitWatts: Reading<number>;
  /** Source: nvmlDeviceGetPowerManagementDefaultLimit. Oracle: --query-gpu=power.default_limit */
  readonly defaultPowerLimitWatts: Reading<number>;
  /** Source: nvmlDeviceGetPowerManagementLimitConstraints. Oracle: --query-gpu=power.min_limit,power.max_limit */
  readonly powerLimitRange: Reading<PowerLimitRange>;
  /** Of the whole board since the driver was loaded; Volta and newer. Source: nvmlDeviceGetFieldValues, NVML_FI_DEV_TOTAL_ENERGY_CONSUMPTION (83). Oracle: dcgmi dmon -e 156, in mJ */
  readonly energyJoules: Reading<number>;
  /** What holds the clocks down right now. Source: nvmlDeviceGetCurrentClocksEventReasons. Oracle: --query-gpu=clocks_event_reasons.active */
  readonly clocksEventReasons: Reading<readonly ToldClocksEventReason[]>;
}

export const powerSymbols: Readonly<Record<keyof PowerReadings, string>> = {
  temperatureC: 'nvmlDeviceGetTemperature',
  temperatureMarginC: 'nvmlDeviceGetMarginTemperature',
  memoryTemperatureC: 'nvmlDeviceGetFieldValues',
  slowdownTemperatureC: 'nvmlDeviceGetTemperatureThreshold',
  shutdownTemperatureC: 'nvmlDeviceGetTemperatureThreshold',
  maxMemoryTemperatureC: 'nvmlDeviceGetTemperatureThreshold',
  maxTemperatureC: 'nvmlDeviceGetTemperatureThreshold',
  slowdownMarginC: 'nvmlDeviceGetFieldValues',
  shutdownMarginC: 'nvmlDeviceGetFieldValues',
  maxMarginC: 'nvmlDeviceGetFieldValues',
  maxMemoryMarginC: 'nvmlDeviceGetFieldValues',
  fanPercents: 'nvmlDeviceGetFanSpeed_v2',
  powerWatts: 'nvmlDeviceGetPowerUsage',
  instantPowerWatts: 'nvmlDeviceGetFieldValues',
  averagePowerWatts: 'nvmlDeviceGetFieldValues',
  modulePowerWatts: 'nvmlDeviceGetFieldValues',
  powerLimitWatts: 'nvmlDeviceGetEnforcedPowerLimit',
  defaultPowerLimitWatts: 'nvmlDeviceGetPowerManagementDefaultLimit',
  powerLimitRange: 'nvmlDeviceGetPowerManagementLimitConstraints',
  energyJoules: 'nvmlDeviceGetFieldValues',
  clocksEventReasons: 'nvmlDeviceGetCurrentClocksEventReasons',
};

export interface PowerLimitRange {
  readonly minWatts: number;
  readonly maxWatts: number;
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

/** As a driver tells it that may be newer than this program: a bit without a name by its number, `unknown0x200`. */
export type ToldClocksEventReason = ClocksEventReason | `unknown0x${string}`;
