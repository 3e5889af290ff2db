import { symbolOf } from '../core/gpu.ts';

/** Calls on the driver itself, in the order in which opening it makes them. */
export const driverSymbols = [
  'nvmlInit_v2',
  'nvmlSystemGetDriverVersion',
  'nvmlSystemGetCudaDriverVersion',
  'nvmlDeviceGetCount_v2',
] as const;

export type DriverSymbol = (typeof driverSymbols)[number];

/** Calls on one GPU; without its handle none of the others can be made. */
export const gpuSymbols: readonly string[] = [
  'nvmlDeviceGetHandleByIndex_v2',
  ...new Set(Object.values(symbolOf)),
];

/** In a scenario: every call on a GPU. */
export const everyCall = 'all';
