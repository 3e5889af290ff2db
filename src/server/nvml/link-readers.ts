import type { LinkReadings, NvLink } from '../../core/link-readings.ts';
import { missingForCode, nvmlReturn } from '../../core/nvml-return.ts';
import { type Missing, map, orNull, type Reading, reasons, unlessUnknown } from '../../core/reading.ts';
import {
  type Device,
  fieldIds,
  linkByteFieldIds,
  linkErrorCounters,
  linkFieldIds,
  type Nvml,
} from './abi.ts';
import { fieldNumbers } from './fields.ts';
import { pciAddressOf } from './identity-readers.ts';
import { readNumber } from './read.ts';
import type { ReadersOf } from './readers-of.ts';

export function linkReaders(nvml: Nvml, device: Device): ReadersOf<LinkReadings> {
  return { nvlinks: () => nvlinks(nvml, device) };
}

function nvlinks(nvml: Nvml, device: Device): Reading<readonly NvLink[]> {
  const states = statesOf(nvml, device);
  if ('missing' in states) return states;
  const fields = fieldsOfLinks(nvml, device, states.value.length);
  return {
    value: states.value.map((state, link) => {
      const of = (name: LinkField): Reading<number> => fields(link, name);
      const active = isActive(state);
      const told = { version: of('GET_VERSION'), speedMegabytesPerSecond: of('GET_SPEED') };
      const remote = active ? remoteOf(nvml, device, link) : notActive;
      const { errors, missing } = errorsOf(nvml, device, { link, of });
      return {
        link,
        active,
        version: orNull(told.version),
        speedMegabytesPerSecond: orNull(told.speedMegabytesPerSecond),
        remoteType: orNull(remote.remoteType),
        remotePciAddress: orNull(remote.remotePciAddress),
        errors,
        missing: {
          ...reasons({ active: state }),
          ...(active && reasons({ ...told, ...remote })),
          ...(active && missing && { errors: missing }),
        },
      };
    }),
  };
}

const notActive = { remoteType: { missing: 'noData' }, remotePciAddress: { missing: 'noData' } } as const;

function statesOf(nvml: Nvml, device: Device): Reading<Reading<number>[]> {
  const count = linkCount(nvml, device);
  const states: Reading<number>[] = [];
  const most = orNull(count) ?? mostLinks;
  for (let link = 0; link < most; link++) {
    const state = readNumber((out) => nvml.nvlinkState(device, link, out));
    if ('missing' in count && isPastLast(state)) break;
    states.push(state);
  }
  if (states.some((state) => 'value' in state)) return { value: states };
  const [first] = states;
  return first && 'missing' in first ? first : { missing: 'notSupported' };
}

/** NVML_NVLINK_MAX_LINKS: where the driver does not count them each is tried, until it says that there is none. */
const mostLinks = 36;
const noSuchLink = missingForCode(nvmlReturn.INVALID_ARGUMENT);

function isPastLast(state: Reading<number>): boolean {
  return 'missing' in state && (state.missing === noSuchLink || state.missing === 'notSupported');
}

function isActive(state: Reading<number>): boolean | null {
  const known = orNull(state);
  return known === null ? null : known !== 0;
}

function linkCount(nvml: Nvml, device: Device): Reading<number> {
  const counted = fieldNumbers(nvml, device, [{ id: fieldIds.NVLINK_LINK_COUNT }]);
  return 'missing' in counted ? counted : (counted.value[0] ?? { missing: 'noData' });
}

/** What a board has sent and received over all its links; notSupported where no link counts it. */
export interface LinkBytes {
  readonly tx: Reading<number>;
  readonly rx: Reading<number>;
}

/** For boards with NVLink 5, which do not count for all links together. */
export function linkBytes(nvml: Nvml, device: Device): LinkBytes {
  const count = linkCount(nvml, device);
  if ('missing' in count) return { tx: count, rx: count };
  const links = Array.from({ length: count.value }, (_, link) => link);
  const of = (id: number) => links.map((scope) => ({ id, scope }));
  const asked = [...of(linkByteFieldIds.XMIT_BYTES), ...of(linkByteFieldIds.RCV_BYTES)];
  if (asked.length === 0) return { tx: { missing: 'notSupported' }, rx: { missing: 'notSupported' } };
  const answered = fieldNumbers(nvml, device, asked);
  if ('missing' in answered) return { tx: answered, rx: answered };
  return { tx: sum(answered.value.slice(0, links.length)), rx: sum(answered.value.slice(links.length)) };
}

/** Links that count nothing add nothing; one that cannot be read would make the sum a false one. */
function sum(counts: readonly Reading<number>[]): Reading<number> {
  const failed = counts.find((count) => 'missing' in count && !count.missing.startsWith('notSupported'));
  if (failed) return failed;
  const known = counts.flatMap((count) => ('value' in count ? count.value : []));
  if (known.length === 0) return { missing: 'notSupported' };
  return { value: known.reduce((total, bytes) => total + bytes, 0) };
}

type LinkField = keyof typeof linkFieldIds;
const linkFields = Object.keys(linkFieldIds) as LinkField[];

/** One call for all fields of all links. */
function fieldsOfLinks(
  nvml: Nvml,
  device: Device,
  links: number,
): (link: number, name: LinkField) => Reading<number> {
  const asked = Array.from({ length: links }, (_, link) => linkFields.map((name) => ({ link, name }))).flat();
  const answered = fieldNumbers(
    nvml,
    device,
    asked.map(({ link, name }) => ({ id: linkFieldIds[name], scope: link })),
  );
  if ('missing' in answered) return () => answered;
  return (link, name) =>
    answered.value[link * linkFields.length + linkFields.indexOf(name)] ?? { missing: 'noData' };
}

/** By nvmlIntNvLinkDeviceType_t. */
const remoteTypes = ['gpu', 'npu', 'switch'] as const;
/** NVML_NVLINK_DEVICE_TYPE_UNKNOWN */
const unknownRemote = 255;

function remoteOf(nvml: Nvml, device: Device, link: number) {
  const type = readNumber((out) => nvml.nvlinkRemoteType(device, link, out));
  const known = unlessUnknown(type, (number) => number === unknownRemote);
  return {
    remoteType: map(known, (number) => remoteTypes[number] ?? (`unknown${number}` as const)),
    remotePciAddress: pciAddressOf((pci) => nvml.nvlinkRemotePci(device, link, pci)),
  };
}

/** Named as nvidia-smi nvlink -e names them, as far as it does. */
const errorNames: Readonly<Partial<Record<LinkField, string>>> = {
  ERROR_DL_REPLAY: 'replays',
  ERROR_DL_RECOVERY: 'recoveries',
  ERROR_DL_CRC: 'crc',
  COUNT_MALFORMED_PACKET_ERRORS: 'malformedPackets',
  COUNT_BUFFER_OVERRUN_ERRORS: 'bufferOverruns',
  COUNT_RCV_ERRORS: 'received',
  COUNT_RCV_REMOTE_ERRORS: 'receivedRemote',
  COUNT_RCV_GENERAL_ERRORS: 'receivedGeneral',
  COUNT_LOCAL_LINK_INTEGRITY_ERRORS: 'localLinkIntegrity',
  COUNT_XMIT_DISCARDS: 'sentDiscards',
  COUNT_LINK_RECOVERY_SUCCESSFUL_EVENTS: 'linkRecoveriesSuccessful',
  COUNT_LINK_RECOVERY_FAILED_EVENTS: 'linkRecoveriesFailed',
  COUNT_EFFECTIVE_ERRORS: 'effective',
  COUNT_EFFECTIVE_BER: 'effectiveBer',
  COUNT_SYMBOL_ERRORS: 'symbol',
  COUNT_SYMBOL_BER: 'symbolBer',
};
const rates: ReadonlySet<string> = new Set(['effectiveBer', 'symbolBer']);

interface LinkFields {
  readonly link: number;
  of(name: LinkField): Reading<number>;
}

interface LinkErrors {
  readonly errors: Record<string, number>;
  /** Why one could not be read, or why there is none; null where all is told that this generation has. */
  readonly missing: Missing | null;
}

function errorsOf(nvml: Nvml, device: Device, { link, of }: LinkFields): LinkErrors {
  const told = Object.entries(errorNames).map(([field, name]) => {
    const count = of(field as LinkField);
    return [name, rates.has(name) ? map(count, bitErrorRate) : count] as const;
  });
  const known = countersIn(told);
  if (Object.keys(known.errors).length > 0) return known;
  const older = countersIn(olderErrorsOf(nvml, device, link));
  return Object.keys(older.errors).length > 0 ? older : known;
}

function countersIn(told: readonly (readonly [string, Reading<number>])[]): LinkErrors {
  const errors = Object.fromEntries(
    told.flatMap(([name, count]) => ('value' in count ? [[name, count.value]] : [])),
  );
  const reasonsOf = told.flatMap(([, count]) => ('missing' in count ? count.missing : []));
  const failed = reasonsOf.find((reason) => !reason.startsWith('notSupported'));
  return { errors, missing: failed ?? (Object.keys(errors).length > 0 ? null : (reasonsOf[0] ?? null)) };
}

/** NVML_NVLINK_ERROR_COUNTER_BER_*: the mantissa in bits 8 to 11, the exponent in bits 0 to 7; read as DCGM reads it. */
function bitErrorRate(value: number): number {
  return Number(`${(value >> 8) & 0xf}e-${value & 0xff}`);
}

const olderNames = {
  DL_REPLAY: 'replays',
  DL_RECOVERY: 'recoveries',
  DL_CRC_FLIT: 'crcFlit',
  DL_CRC_DATA: 'crcData',
  DL_ECC_DATA: 'eccData',
} as const;

/** The counters of NVLink up to 3, which have calls of their own. */
function olderErrorsOf(nvml: Nvml, device: Device, link: number) {
  return (Object.keys(olderNames) as (keyof typeof olderNames)[]).map((counter) => {
    const id = linkErrorCounters[counter];
    return [
      olderNames[counter],
      readNumber((out) => nvml.nvlinkErrorCounter(device, link, id, out)),
    ] as const;
  });
}
