import { crc32 } from 'node:zlib';

/** How many characters of a checksum stand before each record. */
const sumCharacters = 8;

/** One record as one line: what it says, behind a checksum of it. */
export function lineOf(record: unknown): string {
  const json = JSON.stringify(record);
  return `${checksum(json)} ${json}\n`;
}

/** Undefined for a line that is torn or damaged. */
export function recordIn(line: string): unknown {
  const json = line.slice(sumCharacters + 1);
  if (line.slice(0, sumCharacters + 1) !== `${checksum(json)} `) return undefined;
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}

function checksum(json: string): string {
  return crc32(json).toString(16).padStart(sumCharacters, '0');
}
