/** What a line of the kernel log, or the driver itself, can tell of. */
export type EventKind = 'xid' | 'sxid' | 'nvrm' | 'fallenOffBus' | 'aer' | 'oomKill';

export type EventSource = 'kernelLog' | 'nvml';

/** One thing that happened on a node, however many sources told of it. */
export interface GpuEvent {
  /**
   * Increases with each event of a node, also over a restart of the agent where the history is kept on disk. A number that
   * is left out stands for what may have been missed, or for an agent that was killed.
   */
  readonly number: number;
  /**
   * Follows from boot, printed time and text: a restarted agent that reads the same log gives the same event the same id.
   * That of an Xid of which only the driver has told becomes this when its line is read, which is late only in a busy log.
   */
  readonly id: string;
  readonly kind: EventKind;
  readonly bootId: string | null;
  /** Unix time in ms, by the node's clock of now; null where the kernel puts no time on its lines. */
  readonly atMs: number | null;
  /** The same in ms since boot: what it is dated by anew when the clock was set. */
  readonly monotonicMs: number | null;
  readonly sources: readonly EventSource[];
  /** `userSpace`: a program wrote this line into the kernel log; it proves nothing. */
  readonly origin: 'kernel' | 'userSpace';
  /** Of the GPU, switch or PCI device, as `pciSlot` writes it (`0000:3b:00`); null where the line names none. */
  readonly pciSlot: string | null;
  /** Xid or SXid; null for other kinds. */
  readonly code: number | null;
  /** The line without time and priority, or what stands for it where only the driver told; plain text, clipped. */
  readonly message: string;
  /** What is told only by some lines. */
  readonly details: EventDetails;
}

export interface EventDetails {
  readonly pid?: number;
  readonly processName?: string;
  /** The Xid that this one follows from, where the line says so. */
  readonly causedByXid?: number;
  readonly gpuInstanceId?: number;
  readonly computeInstanceId?: number;
  readonly link?: number;
  /** As an SXid line, or a PCIe bus error, says it of itself. */
  readonly fatal?: boolean;
  /** Of a PCIe bus error: the bus repaired it, and nothing was lost. */
  readonly corrected?: boolean;
}

/** What one reader gets who has read up to a number before. */
export interface EventPage {
  /** Oldest first. */
  readonly events: readonly GpuEvent[];
  /** To be given as `since` the next time. */
  readonly cursor: string;
  /** True when events after the cursor, or without one any at all, were dropped for want of room or may have been missed. */
  readonly eventsLost: boolean;
  /** Unix time: of what happened after it none was. Null where that is not known. */
  readonly lostBeforeMs: number | null;
}

/** @param fromMs of a window that goes on until now; null for all there is */
export function mayLack({ eventsLost, lostBeforeMs }: EventPage, fromMs: number | null): boolean {
  return eventsLost && (fromMs === null || lostBeforeMs === null || lostBeforeMs >= fromMs);
}

/** The events of a node, as readers see them. */
export interface EventLog {
  /**
   * Every event after a cursor; all that are kept without one.
   *
   * @throws Fault BAD_ARGUMENT for a cursor that no agent gave
   */
  since(cursor: string | undefined): EventPage;
  /** Whether each source can be read now, and why not, or not of which GPUs: an empty log of a source that is refused proves nothing. */
  readonly sources: Readonly<
    Record<EventSource, { readonly readable: boolean; readonly reason: string | null }>
  >;
}
