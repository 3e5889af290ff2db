import { crc32, deflateRawSync } from 'node:zlib';

/** A file in an archive: its name, with `/` between folders, and what it holds. */
export interface Entry {
  readonly name: string;
  readonly content: Buffer;
}

/**
 * A zip archive, as PKWARE's APPNOTE has it. It bears no time: the same files are the same bytes wherever they are
 * packed, and so is the checksum by which a registry knows them.
 */
export function zip(entries: readonly Entry[]): Buffer {
  const parts: Buffer[] = [];
  const directory: Buffer[] = [];
  let offset = 0;
  for (const { name, content } of entries) {
    const bytes = Buffer.from(name, 'utf8');
    const packed = deflateRawSync(content, { level: 9 });
    const common = [...describing(content, packed), u16(bytes.length), u16(0)];
    const local = Buffer.concat([u32(0x04034b50), u16(needs), ...common, bytes, packed]);
    // No comment, first disk, binary; its rights are those of a file that all may read; where its part begins.
    const about = [u16(0), u16(0), u16(0), u32(0o100644 * 0x10000), u32(offset)];
    directory.push(u32(0x02014b50), u16(madeOnUnix | needs), u16(needs), ...common, ...about, bytes);
    parts.push(local);
    offset += local.length;
  }
  const index = Buffer.concat(directory);
  const count = u16(entries.length);
  const end = [u32(0x06054b50), u16(0), u16(0), count, count, u32(index.length), u32(offset), u16(0)];
  return Buffer.concat([...parts, index, ...end]);
}

const needs = 20; // version 2.0: deflate
const madeOnUnix = 0x0300;
const utf8 = 0x0800;
const deflate = 8;
const firstDay = 0x0021; // 1980-01-01, the earliest that the format knows

/** Flags, method, time, date, checksum and both lengths: the part that stands in front of the file and in the index. */
function describing(content: Buffer, packed: Buffer): Buffer[] {
  const when = [u16(0), u16(firstDay)];
  return [u16(utf8), u16(deflate), ...when, u32(crc32(content)), u32(packed.length), u32(content.length)];
}

function u16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16LE(value);
  return bytes;
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}
