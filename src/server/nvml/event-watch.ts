import koffi from 'koffi';

import { missingForCode, nvmlReturn } from '../../core/nvml-return.ts';
import { pciSlot } from '../../core/pci.ts';
import type { Reading } from '../../core/reading.ts';
import { type Device, type EventSet, eventTypes, initFlags, type Nvml, noInstance, structs } from './abi.ts';
import { pciAddressOf } from './identity-readers.ts';
import { type CallWatch, openLibrary } from './library.ts';
import { deviceAt, read, readNumber } from './read.ts';

/** An Xid, as the driver tells it itself. */
export interface DriverXid {
  readonly pciSlot: string | null;
  readonly xid: number;
  readonly gpuInstanceId: number | null;
  readonly computeInstanceId: number | null;
}

/** What the main thread is told; the last message of a watch is why it ends. */
export type EventMessage =
  | { readonly watching: true; readonly unheard: string | null }
  | { readonly event: DriverXid }
  | { readonly ended: string };

/** What the main thread asks for. */
export type EventRequest = 'watch' | 'leave';

/** Between two looks at whether anybody still wants to know: the driver's shutdown waits for it, too. */
const waitMs = 500;

/**
 * Waits for the driver's events, for as long as it says that there may be some. It blocks its thread.
 *
 * Source: nvmlEventSetWait_v2
 *
 * @throws Fault when the library cannot be loaded, and what `watch.before` throws once nobody wants to know any more
 */
export function watchDriverEvents(
  path: string | undefined,
  watch: CallWatch,
  tell: (message: EventMessage) => void,
): void {
  const library = openLibrary(path, watch);
  try {
    tell({ ended: waitInitialised(library.nvml, tell) });
  } finally {
    library.unload();
  }
}

function waitInitialised(nvml: Nvml, tell: (message: EventMessage) => void): string {
  const code = nvml.initWithFlags(initFlags.NO_GPUS);
  if (code !== nvmlReturn.SUCCESS) return `nvmlInitWithFlags returned ${code}`;
  try {
    return waitInSet(nvml, tell);
  } finally {
    nvml.shutdown();
  }
}

function waitInSet(nvml: Nvml, tell: (message: EventMessage) => void): string {
  const set = read(
    [null] as [EventSet | null],
    (out) => nvml.eventSetCreate(out),
    ([created]) => created as EventSet, // NVML fills it on success
  );
  if ('missing' in set) return `nvmlEventSetCreate: ${set.missing}`;
  try {
    const { slots, unheard } = registered(nvml, set.value);
    if (slots.size === 0) return ['no GPU tells of Xids', ...unheard].join(': ');
    tell({ watching: true, unheard: unheard.length > 0 ? unheard.join(', ') : null });
    return waitForever(nvml, set.value, { slots, tell });
  } finally {
    nvml.eventSetFree(set.value);
  }
}

interface Registered {
  /** The GPUs that tell of Xids, by their handles. */
  readonly slots: ReadonlyMap<bigint, string | null>;
  /** Why others do not. */
  readonly unheard: readonly string[];
}

function registered(nvml: Nvml, set: EventSet): Registered {
  const slots = new Map<bigint, string | null>();
  const unheard: string[] = [];
  const count = readNumber((out) => nvml.deviceCount(out));
  for (let index = 0; 'value' in count && index < count.value; index++) {
    const device = register(nvml, set, index);
    if ('missing' in device) unheard.push(`GPU ${index} (${device.missing})`);
    else slots.set(BigInt(device.value), slotOf(nvml, device.value));
  }
  return { slots, unheard };
}

function register(nvml: Nvml, set: EventSet, index: number): Reading<Device> {
  const device = deviceAt(nvml, index);
  if ('missing' in device) return device;
  const types = readNumber((supported) => nvml.supportedEventTypes(device.value, supported));
  if ('missing' in types) return types;
  const wanted = types.value & eventTypes.XID_CRITICAL_ERROR;
  if (wanted === 0) return { missing: 'notSupported' };
  const code = nvml.registerEvents(device.value, wanted, set);
  return code === nvmlReturn.SUCCESS ? device : { missing: missingForCode(code) };
}

function slotOf(nvml: Nvml, device: Device): string | null {
  const address = pciAddressOf((pci) => nvml.pciInfo(device, pci));
  return 'value' in address ? pciSlot(address.value) : null;
}

interface EventData {
  readonly device: bigint | number;
  readonly eventData: number;
  readonly gpuInstanceId: number;
  readonly computeInstanceId: number;
}

interface Told {
  readonly slots: ReadonlyMap<bigint, string | null>;
  tell(message: EventMessage): void;
}

/** Until the driver says something else than that there was nothing. */
function waitForever(nvml: Nvml, set: EventSet, { slots, tell }: Told): string {
  const buffer = Buffer.alloc(koffi.sizeof(structs.nvmlEventData_t));
  for (;;) {
    const code = nvml.eventSetWait(set, buffer, waitMs);
    if (code === nvmlReturn.TIMEOUT) continue;
    if (code !== nvmlReturn.SUCCESS) return `nvmlEventSetWait_v2 returned ${code}`;
    const data = koffi.decode(buffer, structs.nvmlEventData_t) as EventData;
    const pciSlot = slots.get(buffer.readBigUInt64LE(0)) ?? null;
    const instance = (id: number) => (id === noInstance ? null : id);
    const [gpuInstanceId, computeInstanceId] = [
      instance(data.gpuInstanceId),
      instance(data.computeInstanceId),
    ];
    tell({ event: { pciSlot, xid: Number(data.eventData), gpuInstanceId, computeInstanceId } });
  }
}
