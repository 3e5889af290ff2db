import { z } from 'zod';

import type { DriverInfo } from '../core/driver.ts';
import { orNull, type Reading, reasons } from '../core/reading.ts';
import type { DriverState } from '../core/snapshot.ts';
import { missingText } from './missing-text.ts';

/** What a node's driver says of itself: null where it does not, and `missing` says why. */
export const softwareShape = {
  driverVersion: z.string().nullable(),
  cudaVersion: z.string().nullable(),
  /** An agent of an older version does not tell this and what follows. */
  nvmlVersion: z.string().nullable().default(null),
  confidentialComputing: z
    .object({ environment: z.string(), enabled: z.boolean(), devTools: z.boolean() })
    .nullable()
    .default(null),
  missing: z.record(z.string(), z.string()).default({}).describe('field → why it is null'),
};
export const software = z.object(softwareShape);
export type Software = z.output<typeof software>;

type Told = Omit<DriverInfo, 'gpuCount'>;

export function softwareOf(driver: DriverState): Software {
  const info = 'info' in driver ? driver.info : null;
  const untold: Reading<never> = {
    missing: driver.state === 'starting' ? 'notReady' : 'driverUnavailable',
  };
  const told: Told = {
    driverVersion: info?.driverVersion ?? untold,
    cudaVersion: info?.cudaVersion ?? untold,
    nvmlVersion: info?.nvmlVersion ?? untold,
    confidentialComputing: info?.confidentialComputing ?? untold,
  };
  return {
    driverVersion: orNull(told.driverVersion),
    cudaVersion: orNull(told.cudaVersion),
    nvmlVersion: orNull(told.nvmlVersion),
    confidentialComputing: orNull(told.confidentialComputing),
    missing: reasons(told),
  };
}

/** `driver 580.126.20, CUDA 13.0`; of one GPU also the rest. Confidential computing is always said where it is on. */
export function softwareText(
  { driverVersion, cudaVersion, nvmlVersion, confidentialComputing: computing, missing }: Software,
  { full }: { readonly full: boolean },
): string {
  const { nvmlVersion: _, confidentialComputing: __, ...versions } = missing;
  return [
    `driver ${driverVersion ?? 'unknown'}`,
    `CUDA ${cudaVersion ?? 'unknown'}`,
    full && nvmlVersion !== null && `NVML ${nvmlVersion}`,
    computing && (full || computing.enabled) && computingText(computing),
    missingText(full ? missing : versions),
  ]
    .filter(Boolean)
    .join(', ');
}

function computingText({
  enabled,
  environment,
  devTools,
}: NonNullable<Software['confidentialComputing']>): string {
  const tools = devTools ? ', devtools mode' : '';
  return `confidential computing ${enabled ? 'on' : 'off'} (${environment}${tools})`;
}
