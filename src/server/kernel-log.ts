import { isFatalXid } from '../diagnose/xid-fatal.ts';

/** A line in which the driver reports an Xid. */
export interface XidLine {
  /** Of the GPU, as `pciSlot` writes it. */
  readonly slot: string;
  readonly xid: number;
  readonly fatal: boolean;
  /** Seconds since boot; null where the kernel puts no times on its lines. */
  readonly bootS: number | null;
}

/** What no other line has. */
const xidMark = 'NVRM: Xid (';

/** `<4>[  123.456789][ T42] text`: priority, seconds since boot and thread, of which the last two may be off. */
const kernelLine = /^<(\d{1,4})>(?:\[ {0,16}(\d{1,12}\.\d{1,9})\])?(?:\[ {0,16}[TC]\d{1,10}\])? ?(.*)$/;
/** Address with `PCI:` or without, with function or without; under MIG with the instances. Source: kernel_rc.c of the driver. */
const xidText =
  /^NVRM: Xid \((?:PCI:)?([\da-f]{4,8}:[\da-f]{2}:[\da-f]{2})(?:\.[\da-f])?(?: GPU-I:\d{1,4})?(?: GPU-CI:\d{1,4})?\): (\d{1,5})\b(.*)$/i;

/**
 * The Xids of a kernel log as klogctl gives it, oldest first. Only lines of the kernel itself count: a program may write
 * whatever it likes to /dev/kmsg, but not as the kernel (facility 0).
 */
export function xidsIn(log: string): XidLine[] {
  return log.split('\n').flatMap((line) => {
    if (!line.includes(xidMark)) return [];
    const [, priority, seconds, text = ''] = kernelLine.exec(line) ?? [];
    const [, address, code, message = ''] = xidText.exec(text) ?? [];
    if (priority === undefined || Number(priority) >> 3 !== 0 || address === undefined) return [];
    const xid = Number(code);
    return [
      {
        slot: pciSlot(address),
        xid,
        fatal: isFatalXid(xid, message),
        bootS: seconds === undefined ? null : Number(seconds),
      },
    ];
  });
}

/** Only the lines that may tell of an Xid: the rest of a log of megabytes need not become a text. */
export function linesWithXids(log: Buffer): string {
  const lines: string[] = [];
  let at = log.indexOf(xidMark);
  while (at >= 0) {
    const newline = log.indexOf('\n', at);
    const end = newline < 0 ? log.length : newline;
    lines.push(log.toString('latin1', log.lastIndexOf('\n', at) + 1, end));
    at = log.indexOf(xidMark, end);
  }
  return lines.join('\n');
}

/** `0000:3b:00`: what a line and a GPU's address have in common, whatever the length of the domain and the function. */
export function pciSlot(address: string): string {
  const [domain = '', bus = '', device = ''] = address.toLowerCase().split(/[:.]/);
  return `${domain.replace(/^0+(?=.{4})/, '')}:${bus}:${device}`;
}

/** The newest line of one GPU, Xid and severity. */
export interface XidSeen extends Omit<XidLine, 'bootS'> {
  /** Unix time; null where the line has none. */
  readonly atS: number | null;
}

/** Unrelated Xids of one node are few; a log full of made-up addresses must not fill our memory. */
const seenAtMost = 64;

/** What the kernel log has said of each GPU since it was first read, also after it has been cleared. */
export class XidBook {
  /** Least recently seen first. */
  readonly #seen = new Map<string, XidSeen>();
  readonly #last = new Map<string, number>();
  readonly #bootedAtS: number;
  /** When each line of the last read was written, as Unix time; undefined before the first read. */
  #dates: ReadonlyMap<string, number> | undefined;

  constructor(bootedAtS: number) {
    this.#bootedAtS = bootedAtS;
  }

  get seen(): readonly XidSeen[] {
    return [...this.#seen.values()];
  }

  /** 0 for none. */
  lastOf(slot: string): number {
    return this.#last.get(slot) ?? 0;
  }

  /**
   * The whole log, as it is now. What was there at the first read is dated by the time since boot. What comes later is dated by
   * the clock: the kernel's own count of seconds is set right by nobody, and is a quarter of an hour off after half a year.
   */
  read(log: string, nowS: number): void {
    const known = this.#dates;
    const dates = new Map<string, number>();
    for (const { bootS, ...line } of xidsIn(log)) {
      const id = `${line.slot} ${line.xid} ${line.fatal}`;
      // Not by the order of the times: processors that log at once may do so out of order.
      const atS = known?.get(`${bootS} ${id}`) ?? (known ? nowS : this.#bootedAtS + (bootS ?? 0));
      dates.set(`${bootS} ${id}`, atS);
      putLast(this.#seen, id, { ...line, atS: bootS === null ? null : Math.round(atS * 1000) / 1000 });
      putLast(this.#last, line.slot, line.xid);
    }
    this.#dates = dates;
  }
}

function putLast<T>(map: Map<string, T>, key: string, value: T): void {
  map.delete(key);
  map.set(key, value);
  const [oldest] = map.keys();
  if (map.size > seenAtMost && oldest !== undefined) map.delete(oldest);
}
