import type { GpuEvent } from '../../core/event.ts';
import { isFatalXid } from '../../diagnose/xid-fatal.ts';

/** The newest line of one GPU, Xid and severity. */
export interface XidSeen {
  /** Of the GPU, as `pciSlot` writes it. */
  readonly slot: string;
  readonly xid: number;
  readonly fatal: boolean;
  /** Unix time; null where the kernel puts no times on its lines. */
  readonly atS: number | null;
}

/** Unrelated Xids of one node are few; a log full of made-up addresses must not fill our memory. */
const seenAtMost = 64;

/** What the driver's own lines have said of each GPU since the log was first read, also after it has been cleared. */
export class XidBook {
  /** Least recently seen first. */
  readonly #seen = new Map<string, XidSeen>();
  readonly #last = new Map<string, number>();

  get seen(): readonly XidSeen[] {
    return [...this.#seen.values()];
  }

  /** 0 for none. */
  lastOf(slot: string): number {
    return this.#last.get(slot) ?? 0;
  }

  /** Only lines of the kernel itself count: a program may write whatever it likes into the log, but not as the kernel. */
  note({ kind, origin, pciSlot: slot, code: xid, message, atMs }: GpuEvent): void {
    if (kind !== 'xid' || origin !== 'kernel' || slot === null || xid === null) return;
    const fatal = isFatalXid(xid, message);
    putLast(this.#seen, `${slot} ${xid} ${fatal}`, {
      slot,
      xid,
      fatal,
      atS: atMs === null ? null : atMs / 1000,
    });
    putLast(this.#last, slot, xid);
  }
}

function putLast<T>(map: Map<string, T>, key: string, value: T): void {
  map.delete(key);
  map.set(key, value);
  const [oldest] = map.keys();
  if (map.size > seenAtMost && oldest !== undefined) map.delete(oldest);
}
