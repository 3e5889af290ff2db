/**
 * Where an oracle tells a value: a field of `nvidia-smi --query-gpu`, a path below `<gpu>` of `nvidia-smi -q -x`, the GPU's
 * row in `nvidia-smi topo -m`, or an expression over the functions of pynvml and those of ask-pynvml.py, in which `gpu` is
 * the handle.
 */
export type Source = `query ${string}` | `xml ${string}` | 'topo -m' | `pynvml ${string}`;

/** One value of ours beside one of an oracle's. */
export interface Check {
  /** Of a reading with several values: `totalBytes`. */
  readonly part?: string;
  /** This value in our reading; where it is absent, as null and undefined say, the oracle must not have it either. */
  readonly of: (reading: unknown) => unknown;
  /** The first that this nvidia-smi knows counts: names have changed from driver to driver. */
  readonly from: readonly Source[];
  readonly form: Form;
  /** It changes by itself: by how much it may lie outside of what the oracle told before and after, in our unit. */
  readonly moves?: number;
}

/** A value of ours that no oracle here tells, and why not. */
export interface Untold {
  readonly part?: string;
  readonly why: string;
}

/** How an oracle writes a value. */
export interface Form {
  /** As we say it. An unknown word stays as it is: it then differs, and is seen. */
  read(text: string): unknown;
  /** How far from ours it may be because it is printed rounded. */
  readonly slack?: number;
}

export const text: Form = { read: (told) => told };
export const lowerCase: Form = { read: (told) => told.toLowerCase() };

/** `00000000:3B:00.0` */
export const pciAddress: Form = {
  read: (told) => told.toLowerCase().replace(/^0+(?=[\da-f]{4}:|[1-9a-f][\da-f]{4,}:)/, ''),
};

/** `70.12 W`, `-2 C`, `16x`, `P0`, `2560 bank(s)`: the number in it times `scale`. */
export function number({ scale = 1, slack = 0 }: { scale?: number; slack?: number } = {}): Form {
  return {
    slack,
    read(told) {
      const [digits] = /-?\d+(\.\d+)?(e[-+]?\d+)?/i.exec(told) ?? [];
      return digits === undefined ? told : Number(digits) * scale;
    },
  };
}

const mebibyte = 2 ** 20;
/** How far what moves may lie outside of what the oracle told before and after. Counters only grow: not at all. */
export const drift = {
  celsius: 3,
  watts: 30,
  percent: 10,
  /** Of GPM: each looks at a quarter of a second of its own. */
  gpmPercent: 20,
  megahertz: 100,
  memory: 64 * mebibyte,
  none: 0,
};
/** Printed as whole MiB: rounded up by some versions, down by others. */
export const mebibytes = number({ scale: mebibyte, slack: mebibyte });
export const watts = number({ slack: 0.006 });
export const microseconds = number({ scale: 1e-6, slack: 1.1e-6 });

export function words(ours: Readonly<Record<string, unknown>>): Form {
  return { read: (told) => (Object.hasOwn(ours, told) ? ours[told] : told) };
}

export const onOff = words({ Enabled: true, Disabled: false, '1': true, '0': false });
export const yesNo = words({ Yes: true, No: false, '1': true, '0': false });

/** `[0,2]` */
export const json: Form = {
  read(told) {
    try {
      return JSON.parse(told);
    } catch {
      return told;
    }
  },
};

/** JSON of which each text is in this form. */
export function jsonOf(form: Form): Form {
  const read = (value: unknown): unknown => {
    if (typeof value === 'string') return form.read(value);
    if (Array.isArray(value)) return value.map(read);
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, read(each)]));
  };
  return {
    read(told) {
      const value = json.read(told);
      return value === told ? told : read(value);
    },
  };
}

/** `EXCLUSIVE_PROCESS`, as constants of C are named. */
export const camelCase: Form = {
  read: (told) => told.toLowerCase().replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase()),
};

/** `0x0000000000000001`: the names of the bits that are set. */
export function bits(names: Readonly<Record<string, number>>): Form {
  return {
    read: (told) => {
      const mask = told === '' ? Number.NaN : Number(told);
      return Number.isNaN(mask) ? told : Object.keys(names).filter((name) => mask & (names[name] ?? 0));
    },
  };
}

/** What stands for no value. The last form is of ours, for what pynvml raises. */
const absences =
  /^\[?(N\/A|Not Supported|Not Found|Function Not Found|(Unknown|Undefined) Error|Insufficient Permissions|Requested functionality has been deprecated|GPU is lost|GPU requires reset|ERR!|error: .*)\]?$/i;

export function isAbsence(told: string | undefined): boolean {
  return told === undefined || told === '' || absences.test(told);
}
