import type { Readers } from '../../core/driver.ts';
import type { GpuReadings } from '../../core/gpu.ts';
import type { Device, Nvml } from './abi.ts';
import { errorReaders } from './errors-readers.ts';
import { fieldsOf } from './fields.ts';
import { identityReaders } from './identity-readers.ts';
import { linkReaders } from './link-readers.ts';
import { loadReaders } from './load-readers.ts';
import { modeReaders } from './mode-readers.ts';
import { powerReaders, throttleReaders } from './power-readers.ts';

/**
 * How NVML takes each reading in one sample: one call and one conversion each, but for the fields, which share a call.
 * What they mean stands at GpuReadings.
 *
 * @param wanted whether a reading will be asked for in this sample: only then is its field in that call
 */
export function nvmlReaders(
  nvml: Nvml,
  device: Device,
  wanted: (name: keyof GpuReadings) => boolean,
): Readers {
  const field = fieldsOf(nvml, device, wanted);
  return {
    ...identityReaders(nvml, device),
    ...loadReaders(nvml, device, field),
    ...powerReaders(nvml, device, field),
    ...errorReaders(nvml, device, field),
    ...modeReaders(nvml, device),
    ...throttleReaders(field),
    ...linkReaders(nvml, device),
  };
}
