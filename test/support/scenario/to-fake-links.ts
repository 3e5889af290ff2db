import type { GpuReadings } from '../../../src/core/gpu.ts';
import type { NvLink } from '../../../src/core/link-readings.ts';
import { orNull } from '../../../src/core/reading.ts';
import type { FakeField } from '../nvml/fake-config.ts';
import type { FakeLinks } from '../nvml/fake-links.ts';

const remoteTypes: Readonly<Record<string, number>> = { gpu: 0, npu: 1, switch: 2 };
/** Fields of a link by the names of its errors. */
const errorFields: Readonly<Record<string, number>> = {
  replays: 161,
  recoveries: 162,
  crc: 163,
  received: 208,
  effectiveBer: 220,
  symbolBer: 222,
};

export function fakeLinks({ nvlinks }: GpuReadings): FakeLinks {
  const links = orNull(nvlinks);
  return { nvlinks: links?.map(fakeLink) ?? null };
}

function fakeLink({ link, active, remoteType, remotePciAddress }: NvLink) {
  const [domain = 0, bus = 0, device = 0] = (remotePciAddress ?? '')
    .split(/[:.]/)
    .map((part) => Number.parseInt(part, 16));
  return {
    link,
    active: Number(active),
    remoteType: remoteType === null ? null : (remoteTypes[remoteType] ?? 0),
    remotePci: remotePciAddress === null ? null : { domain, bus, device },
  };
}

export function fakeLinkFields({ nvlinks }: GpuReadings): FakeField[] {
  const links = orNull(nvlinks);
  if (!links) return [];
  return [{ id: 91, type: 'u32', value: links.length }, ...links.flatMap(fieldsOf)];
}

function fieldsOf({ link, version, speedMegabytesPerSecond: speed, errors }: NvLink): FakeField[] {
  const field = (id: number, value: number | null): FakeField[] =>
    value === null ? [] : [{ id, scope: link, type: 'u64', value }];
  return [
    ...field(164, speed),
    ...field(166, version),
    ...Object.entries(errors).flatMap(([name, count]) => field(errorFields[name] ?? 0, count)),
  ];
}
