import { readdir, readFile, stat, unlink } from 'node:fs/promises';
import { join } from 'node:path';

import type { History } from './history.ts';
import { recordIn } from './record-line.ts';
import { type Header, headerIn, type Kind, SegmentReader } from './segment.ts';

/** A segment is as long as this or a little longer: then the next one begins. */
export const segmentBytes = 256 * 1024;
/**
 * Besides the newest segment. Of eight GPUs that is somewhat more than the rings hold: two hours of samples with all their
 * bursts, 48 hours of bins.
 */
const keptBytes: Readonly<Record<Kind, number>> = { samples: 3.5 * 2 ** 20, bins: 4 * 2 ** 20 };
/** No segment of ours is so long: whatever it is, it is not read. */
const readAtMost = 8 * segmentBytes;

/** Where a segment stands among the others: of a later life, and then of a later part, is later. */
interface SegmentName {
  readonly kind: Kind;
  readonly life: number;
  readonly part: number;
  readonly token: string;
}

export function fileName({ kind, life, part, token }: SegmentName): string {
  const digits = (number: number) => String(number).padStart(9, '0');
  return `${kind}-${digits(life)}-${digits(part)}-${token}.log`;
}

const form = /^(samples|bins)-(\d{9})-\d{9}-[\da-f]{8}\.log$/;

/** The segments of a folder, oldest first. */
async function segmentsIn(folder: string, kind: Kind): Promise<string[]> {
  const names = await readdir(folder);
  return names.filter((name) => form.exec(name)?.[1] === kind).sort();
}

function lifeOf(name: string): number {
  return Number(form.exec(name)?.[2] ?? 0);
}

/** Takes the oldest away until there is room for another. */
export async function makeRoom(folder: string, kind: Kind): Promise<void> {
  let total = 0;
  for (const name of (await segmentsIn(folder, kind)).reverse()) {
    const path = join(folder, name);
    total += Math.max(4096, (await stat(path)).size); // a file takes room, however little it holds
    if (total > keptBytes[kind]) await unlink(path);
  }
}

/**
 * Puts what is in a folder into the history, as far as it can be read.
 *
 * @param answered called for each file that was read
 * @throws the signal's reason, once it is aborted: from then on nothing is put there
 */
export async function restoreFrom(
  folder: string,
  history: History,
  { signal, answered }: { readonly signal?: AbortSignal; readonly answered?: () => void } = {},
): Promise<void> {
  const lines = async (name: string) => {
    const found = await linesOf(join(folder, name));
    signal?.throwIfAborted();
    answered?.();
    return found;
  };
  const bins = await segmentsIn(folder, 'bins');
  const samples = await segmentsIn(folder, 'samples');
  const lastLife = Math.max(0, ...[...bins, ...samples].map(lifeOf));
  const numbering = await numberingOf(samples.length > 0 ? samples : bins, lines);
  if (numbering === undefined) return history.continue(history.numbering, lastLife);
  history.continue(numbering, lastLife);
  for (const name of bins)
    eachRecord(await lines(name), numbering, (record, reader) => {
      const kept = reader.bin(record);
      if (kept) history.restoreBin(kept.gpuKey, kept.bootId, kept.bin);
    });
  for (const name of samples)
    eachRecord(await lines(name), numbering, (record, reader, { bootId }) => {
      const kept = reader.sample(record);
      if (kept) history.restoreSample(kept.gpuKey, bootId, kept.sample);
    });
  history.restored();
}

/** That of the newest segment that can be read; undefined where there is none. */
async function numberingOf(
  names: readonly string[],
  lines: (name: string) => Promise<readonly string[]>,
): Promise<string | undefined> {
  for (const name of names.toReversed()) {
    const [first = ''] = await lines(name);
    const header = headerIn(recordIn(first));
    if (header) return header.numbering;
  }
  return undefined;
}

/** A torn or damaged line is left out; so is a segment of another numbering, or whose first line is no header. */
function eachRecord(
  [first = '', ...lines]: readonly string[],
  numbering: string,
  take: (record: unknown, reader: SegmentReader, header: Header) => void,
): void {
  const header = headerIn(recordIn(first));
  if (header?.numbering !== numbering) return;
  const reader = new SegmentReader(header);
  for (const line of lines) {
    const record = recordIn(line);
    if (record !== undefined) take(record, reader, header);
  }
}

/** None where the file cannot be read: the others still count. */
async function linesOf(path: string): Promise<string[]> {
  try {
    const found = await stat(path);
    if (!found.isFile() || found.size > readAtMost) return [];
    return (await readFile(path, 'utf8')).split('\n');
  } catch {
    return [];
  }
}

/** '' for what is not there, or is longer than anything of ours. */
export async function textOf(path: string, atMost: number): Promise<string> {
  try {
    const found = await stat(path);
    return found.isFile() && found.size <= atMost ? await readFile(path, 'utf8') : '';
  } catch {
    return '';
  }
}
