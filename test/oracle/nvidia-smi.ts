import { spawnSync } from 'node:child_process';
import { XMLParser } from 'fast-xml-parser';

import { pciSlot } from '../../src/core/pci.ts';
import { mapping } from './mapping.ts';

/** What an oracle tells: GPU (its place on the PCI bus) → our path → their text. */
export type Tellings = ReadonlyMap<string, ReadonlyMap<string, string>>;

type Element = { readonly [name: string]: Element | readonly Element[] | string | undefined };

/** @throws Error when the program is not there, or does not answer */
export function readXml(program: string): Tellings {
  const parsed = new XMLParser({ ignoreAttributes: false, parseTagValue: false }).parse(
    run(program, ['-q', '-x']),
  );
  const gpus: Element[] = [
    (parsed as { nvidia_smi_log?: Element }).nvidia_smi_log?.['gpu'] ?? [],
  ].flat() as Element[];
  return new Map(
    gpus.map((gpu) => {
      const told = mapping.flatMap(({ ours, xml = [] }) => {
        const text = xml.map((path) => textAt(gpu, path)).find((each) => each !== undefined);
        return text === undefined ? [] : [[ours, text] as const];
      });
      return [pciSlot(String(gpu['@_id'])), new Map(told)];
    }),
  );
}

/** Field by field: one that this nvidia-smi does not know would cost all others. */
export function readQueries(program: string): Tellings {
  const gpus = new Map<string, Map<string, string>>();
  for (const { ours, query } of mapping) {
    if (query === undefined) continue;
    for (const line of queried(program, query)) {
      const [slot = '', ...value] = line.split(', ');
      const told = gpus.get(pciSlot(slot)) ?? new Map<string, string>();
      gpus.set(pciSlot(slot), told.set(ours, value.join(', ').trim()));
    }
  }
  return gpus;
}

function queried(program: string, field: string): string[] {
  try {
    const text = run(program, [`--query-gpu=pci.bus_id,${field}`, '--format=csv,noheader,nounits']);
    return text.trim().split('\n');
  } catch {
    return []; // "Field … is not a valid field to query."
  }
}

/** Of an element with elements: the names of those that are active, as in `clocks_event_reasons`. */
function textAt(gpu: Element, path: string): string | undefined {
  let found: Element[string] = gpu;
  for (const name of path.split('.')) {
    if (typeof found !== 'object' || Array.isArray(found)) return undefined;
    found = (found as Element)[name];
  }
  if (typeof found !== 'object') return found?.trim();
  const active = Object.entries(found).filter(([, value]) => value === 'Active');
  return active.map(([name]) => reasonIn(name)).join(' ') || 'none';
}

function reasonIn(element: string): string {
  return element.replace(/^clocks_(event|throttle)_reason_/, '').replace('display_clocks', 'display_clock');
}

function run(program: string, args: readonly string[]): string {
  const { status, stdout, stderr, error } = spawnSync(program, args, {
    encoding: 'utf8',
    maxBuffer: 2 ** 26,
  });
  if (error) throw new Error(`${program}: ${error.message}`);
  if (status !== 0) throw new Error(`${program} ${args.join(' ')}: ${(stdout + stderr).trim()}`);
  return stdout;
}
