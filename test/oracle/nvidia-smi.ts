import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { XMLParser } from 'fast-xml-parser';

import { pciAddress, type Source } from './check.ts';

const run = promisify(execFile);
/** Of a driver that takes long to start, with many GPUs. */
export const patienceMs = 120_000;
const largeBytes = 64 * 2 ** 20; // the XML lists every clock of every GPU

/** What one oracle tells of one GPU. */
export interface OracleGpu {
  readonly uuid: string;
  readonly pciAddress: string;
  /** Undefined: this oracle has no such field. */
  tell(source: Source): string | undefined;
}

/** Nothing can be compared here; the message says what to do. */
export class NotHere extends Error {
  override readonly name = 'NotHere';
}

export interface NvidiaSmi {
  readonly driverVersion: string;
  readonly cudaVersion: string;
  readonly gpus: readonly OracleGpu[];
}

/** Reads every GPU with `nvidia-smi -q -x`, `--query-gpu` and `topo -m`, one directly after the other. */
export async function readNvidiaSmi(program: string, wanted: readonly string[]): Promise<NvidiaSmi> {
  const log = parseXml(await output(program, ['-q', '-x']));
  const rows = parseQuery(await output(program, queryOf(wanted)), wanted);
  const cells = parseTopology(await output(program, ['topo', '-m']).catch(() => '')); // not everywhere has it one
  const addresses = rows.map((row) => String(pciAddress.read(row.get('pci.bus_id') ?? '')));
  return {
    driverVersion: leaf(log, 'driver_version') ?? '',
    cudaVersion: leaf(log, 'cuda_version') ?? '',
    gpus: rows.map((row, at) => {
      const uuid = row.get('uuid') ?? '';
      const xml = log.gpu.find((each) => leaf(each, 'uuid') === uuid);
      return {
        uuid,
        pciAddress: addresses[at] ?? '',
        tell(source) {
          if (source === 'topo -m') return waysOf(at, cells, addresses);
          const [kind, ...name] = source.split(' ');
          if (kind === 'query') return row.get(name.join(' '));
          return kind === 'xml' && xml ? leaf(xml, name.join(' ')) : undefined;
        },
      };
    }),
  };
}

/** Those of these fields that this nvidia-smi knows: it refuses a query with a single one that it does not. */
export async function knownFields(program: string, fields: readonly string[]): Promise<string[]> {
  const help = await output(program, ['--help-query-gpu']);
  const known = new Set([...help.matchAll(/"([\w.]+)"/g)].map(([, name]) => name));
  return [...new Set(['uuid', 'pci.bus_id', ...fields])].filter((field) => known.has(field));
}

function queryOf(fields: readonly string[]): string[] {
  return [`--query-gpu=${fields.join(',')}`, '--format=csv,noheader,nounits'];
}

export function parseQuery(csv: string, fields: readonly string[]): ReadonlyMap<string, string>[] {
  const lines = csv.split('\n').filter((line) => line.trim() !== '');
  return lines.map((line) => {
    const values = line.split(/, ?/).map((value) => value.trim());
    if (values.length !== fields.length)
      throw new NotHere(
        `nvidia-smi was asked for ${fields.length} fields and told ${values.length}: ${line}`,
      );
    return new Map(fields.map((field, at) => [field, values[at] ?? '']));
  });
}

/** Of `nvidia-smi topo -m` the row of each GPU: one cell for each GPU, by index, and then for what else there is. */
export function parseTopology(table: string): string[][] {
  const rows = table.split('\n').map((line) => line.split('\t').map((cell) => cell.trim()));
  return rows.filter(([name = '']) => /^GPU\d+$/.test(name)).map(([, ...cells]) => cells);
}

/** By the PCI address of each other GPU, as JSON; undefined where the table is not the one that we know. */
function waysOf(at: number, cells: readonly string[][], addresses: readonly string[]): string | undefined {
  const row = cells[at];
  if (cells.length !== addresses.length || row?.[at] !== 'X') return undefined;
  return JSON.stringify(
    Object.fromEntries(addresses.flatMap((address, to) => (to === at ? [] : [[address, row[to]]]))),
  );
}

type Element = Readonly<Record<string, unknown>>;

export function parseXml(xml: string): Element & { readonly gpu: readonly Element[] } {
  const isArray = (name: string) => ['gpu', 'mig_device', 'process_info'].includes(name);
  const { nvidia_smi_log: log } = new XMLParser({ parseTagValue: false, isArray }).parse(xml);
  return { ...log, gpu: log?.gpu ?? [] };
}

/** The text at a path like `temperature/gpu_temp`; of an element that has others in it, these as JSON. */
export function leaf(element: Element, path: string): string | undefined {
  let at: unknown = element;
  for (const name of path.split('/')) at = (at as Element | undefined)?.[name];
  return at === undefined || typeof at === 'string' ? at : JSON.stringify(at);
}

async function output(program: string, args: readonly string[]): Promise<string> {
  try {
    return (await run(program, args, { maxBuffer: largeBytes, timeout: patienceMs })).stdout;
  } catch (cause) {
    const { code, stdout = '', message } = cause as { code?: unknown; stdout?: string; message: string };
    const [line] = (stdout.trim() || message).split('\n');
    const why = code === 'ENOENT' ? `${program} was not found` : line;
    throw new NotHere(
      `${why}. Run this on a machine with an NVIDIA GPU whose driver is loaded; --nvidia-smi PATH names a nvidia-smi that is not on the PATH.`,
      { cause },
    );
  }
}
