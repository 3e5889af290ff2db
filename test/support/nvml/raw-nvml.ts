import koffi from 'koffi';

import { layouts } from './layout.ts';

const libc = koffi.load('libc.so.6');

/** Sets a variable of the C environment: in a worker thread, process.env is only a copy. */
export const setenv = libc.func('int setenv(const char *name, const char *value, int overwrite)');

type Argument = bigint | Buffer | number | string | null;

/** Opens the library with nothing between the test and the ABI: numbers in, a code out, memory as buffers. */
export function openRaw(path: string) {
  const library = koffi.load(path);
  const bind = (symbol: string, args: readonly Argument[]) =>
    library.func(`int ${symbol}(${args.map(parameter).join(', ')})`);
  return {
    call: (symbol: string, ...args: Argument[]): number => bind(symbol, args)(...args),
    /** The same on another thread. Buffers must stay referenced until it returns. */
    callAside: (symbol: string, ...args: Argument[]): Promise<number> =>
      new Promise((resolve, reject) => {
        bind(symbol, args).async(...args, (error: Error | null, code: number) =>
          error ? reject(error) : resolve(code),
        );
      }),
  };
}

export type RawNvml = ReturnType<typeof openRaw>;

function parameter(value: Argument): string {
  if (typeof value === 'number') return 'uint32_t';
  return typeof value === 'string' ? 'const char *' : 'void *';
}

/** A struct's memory, with its members found through nvml-layout.json. */
export function struct(type: string, count = 1) {
  const layout = layouts[type];
  if (layout?.kind !== 'struct') throw new Error(`no struct ${type}`);
  const buffer = Buffer.alloc(layout.size * count);
  const place = (name: string, index: number) => {
    const field = layout.fields.find((candidate) => candidate.name === name);
    if (!field) throw new Error(`${type} has no ${name}`);
    return { at: layout.size * index + field.offset, size: field.size };
  };
  return {
    buffer,
    set: (name: string, value: number, index = 0) => buffer.writeUInt32LE(value, place(name, index).at),
    number: (name: string, index = 0): number => {
      const { at, size } = place(name, index);
      return size === 8 ? Number(buffer.readBigUInt64LE(at)) : buffer.readUInt32LE(at);
    },
    text: (name: string): string => {
      const { at, size } = place(name, 0);
      return cString(buffer.subarray(at, at + size));
    },
    bytes: (name: string, index = 0): Buffer => {
      const { at, size } = place(name, index);
      return buffer.subarray(at, at + size);
    },
  };
}

export function cString(buffer: Buffer): string {
  return buffer.toString('latin1', 0, buffer.indexOf(0));
}
