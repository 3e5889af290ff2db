import type { FaultCode } from './fault.ts';
import type { Missing } from './reading.ts';

/** nvmlReturn_t, as far as we tell the codes apart. Source: nvml.h. */
export const nvmlReturn = {
  SUCCESS: 0,
  UNINITIALIZED: 1,
  INVALID_ARGUMENT: 2,
  NOT_SUPPORTED: 3,
  NO_PERMISSION: 4,
  NOT_FOUND: 6,
  INSUFFICIENT_SIZE: 7,
  DRIVER_NOT_LOADED: 9,
  TIMEOUT: 10,
  LIBRARY_NOT_FOUND: 12,
  FUNCTION_NOT_FOUND: 13,
  CORRUPTED_INFOROM: 14,
  GPU_IS_LOST: 15,
  RESET_REQUIRED: 16,
  LIB_RM_VERSION_MISMATCH: 18,
  ARGUMENT_VERSION_MISMATCH: 25,
  DEPRECATED: 26,
  NOT_READY: 27,
  GPU_NOT_FOUND: 28,
  UNKNOWN: 999,
} as const;

const missingFor: Partial<Record<number, Missing>> = {
  [nvmlReturn.UNINITIALIZED]: 'driverUnavailable',
  [nvmlReturn.NOT_SUPPORTED]: 'notSupported',
  [nvmlReturn.NO_PERMISSION]: 'noPermission',
  [nvmlReturn.DRIVER_NOT_LOADED]: 'driverUnavailable',
  [nvmlReturn.FUNCTION_NOT_FOUND]: 'notSupportedByDriver',
  [nvmlReturn.GPU_IS_LOST]: 'gpuLost',
  [nvmlReturn.RESET_REQUIRED]: 'resetRequired',
  [nvmlReturn.LIB_RM_VERSION_MISMATCH]: 'driverUnavailable',
  [nvmlReturn.ARGUMENT_VERSION_MISMATCH]: 'notSupportedByDriver',
  [nvmlReturn.DEPRECATED]: 'notSupportedByDriver',
  [nvmlReturn.NOT_READY]: 'notReady',
  [nvmlReturn.GPU_NOT_FOUND]: 'gpuLost',
};

const faultFor: Partial<Record<number, FaultCode>> = {
  [nvmlReturn.NO_PERMISSION]: 'DRIVER_ACCESS_DENIED',
  [nvmlReturn.DRIVER_NOT_LOADED]: 'DRIVER_NOT_LOADED',
  [nvmlReturn.LIBRARY_NOT_FOUND]: 'DRIVER_NOT_FOUND',
  [nvmlReturn.LIB_RM_VERSION_MISMATCH]: 'DRIVER_VERSION_MISMATCH',
  // What nvmlInit says in a container whose device cgroup denies /dev/nvidiactl (EPERM).
  [nvmlReturn.UNKNOWN]: 'DRIVER_ACCESS_DENIED',
};

/** What a code other than SUCCESS says of one value of one GPU. */
export function missingForCode(code: number): Missing {
  return missingFor[code] ?? `nvmlReturn${code}`;
}

/** What a code other than SUCCESS says when the driver was opened. */
export function faultForCode(code: number): FaultCode {
  return faultFor[code] ?? 'DRIVER_FAILED';
}
