import type { Reading } from './reading.ts';

/** How long the clocks have been held down, by reason. Since the driver was loaded; it counts in ns. */
export interface ThrottleReadings {
  /** Held below by the power limit. Source: nvmlDeviceGetFieldValues, NVML_FI_DEV_PERF_POLICY_POWER (74). Oracle: --query-gpu=clocks_event_reasons_counters.sw_power_cap */
  readonly powerViolationSeconds: Reading<number>;
  /** Held below by heat. Source: nvmlDeviceGetFieldValues, NVML_FI_DEV_PERF_POLICY_THERMAL (75). Oracle: none of nvidia-smi; pynvml nvmlDeviceGetFieldValues(gpu, [75]) */
  readonly thermalViolationSeconds: Reading<number>;
  /** Held below by the slowest of its sync boost group. Source: nvmlDeviceGetFieldValues, NVML_FI_DEV_PERF_POLICY_SYNC_BOOST (76). Oracle: --query-gpu=clocks_event_reasons_counters.sync_boost */
  readonly syncBoostViolationSeconds: Reading<number>;
  /** Held below by the board. Source: nvmlDeviceGetFieldValues, NVML_FI_DEV_PERF_POLICY_BOARD_LIMIT (77). Oracle: none of nvidia-smi; pynvml nvmlDeviceGetFieldValues(gpu, [77]) */
  readonly boardLimitViolationSeconds: Reading<number>;
  /** Held below for want of work. Source: nvmlDeviceGetFieldValues, NVML_FI_DEV_PERF_POLICY_LOW_UTILIZATION (78). Oracle: none of nvidia-smi; pynvml nvmlDeviceGetFieldValues(gpu, [78]) */
  readonly lowUtilizationViolationSeconds: Reading<number>;
  /** Held below by its reliability limit. Source: nvmlDeviceGetFieldValues, NVML_FI_DEV_PERF_POLICY_RELIABILITY (79). Oracle: none of nvidia-smi; pynvml nvmlDeviceGetFieldValues(gpu, [79]) */
  readonly reliabilityViolationSeconds: Reading<number>;
  /** Below the clocks that applications asked for, for whatever reason. Source: nvmlDeviceGetFieldValues, NVML_FI_DEV_PERF_POLICY_TOTAL_APP_CLOCKS (80). Oracle: none of nvidia-smi; pynvml nvmlDeviceGetFieldValues(gpu, [80]) */
  readonly appClocksViolationSeconds: Reading<number>;
  /** Below its base clocks, for whatever reason. Source: nvmlDeviceGetFieldValues, NVML_FI_DEV_PERF_POLICY_TOTAL_BASE_CLOCKS (81). Oracle: none of nvidia-smi; pynvml nvmlDeviceGetFieldValues(gpu, [81]) */
  readonly baseClocksViolationSeconds: Reading<number>;
  /** Slowed down by software for heat. Source: nvmlDeviceGetFieldValues, NVML_FI_DEV_CLOCKS_EVENT_REASON_SW_THERM_SLOWDOWN (269). Oracle: --query-gpu=clocks_event_reasons_counters.sw_thermal_slowdown */
  readonly swThermalSlowdownSeconds: Reading<number>;
  /** Slowed down by itself for heat. Source: nvmlDeviceGetFieldValues, NVML_FI_DEV_CLOCKS_EVENT_REASON_HW_THERM_SLOWDOWN (270). Oracle: --query-gpu=clocks_event_reasons_counters.hw_thermal_slowdown */
  readonly hwThermalSlowdownSeconds: Reading<number>;
  /** Slowed down by an external power brake. Source: nvmlDeviceGetFieldValues, NVML_FI_DEV_CLOCKS_EVENT_REASON_HW_POWER_BRAKE_SLOWDOWN (271). Oracle: --query-gpu=clocks_event_reasons_counters.hw_power_brake_slowdown */
  readonly hwPowerBrakeSlowdownSeconds: Reading<number>;
}

export const throttleSymbols: Readonly<Record<keyof ThrottleReadings, string>> = {
  powerViolationSeconds: 'nvmlDeviceGetFieldValues',
  thermalViolationSeconds: 'nvmlDeviceGetFieldValues',
  syncBoostViolationSeconds: 'nvmlDeviceGetFieldValues',
  boardLimitViolationSeconds: 'nvmlDeviceGetFieldValues',
  lowUtilizationViolationSeconds: 'nvmlDeviceGetFieldValues',
  reliabilityViolationSeconds: 'nvmlDeviceGetFieldValues',
  appClocksViolationSeconds: 'nvmlDeviceGetFieldValues',
  baseClocksViolationSeconds: 'nvmlDeviceGetFieldValues',
  swThermalSlowdownSeconds: 'nvmlDeviceGetFieldValues',
  hwThermalSlowdownSeconds: 'nvmlDeviceGetFieldValues',
  hwPowerBrakeSlowdownSeconds: 'nvmlDeviceGetFieldValues',
};
