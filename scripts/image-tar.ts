import type { Buffer as NodeBuffer } from 'node:buffer';

/** What a tar archive holds of one path. Owner is always root, and the time the epoch: equal entries are equal bytes. */
export type Entry = { readonly path: string } & (
  | { readonly file: Uint8Array; readonly mode?: number }
  | { readonly folder: true; readonly mode?: number }
  | { readonly link: string }
);

const block = 512;

/** A tar archive (ustar) of the entries, in the order given: a folder has to come before what is in it. */
export function tar(entries: readonly Entry[]): NodeBuffer {
  const blocks = entries.flatMap((entry) => {
    const content = 'file' in entry ? entry.file : new Uint8Array();
    return [header(entry, content.length), content, Buffer.alloc((block - (content.length % block)) % block)];
  });
  return Buffer.concat([...blocks, Buffer.alloc(2 * block)]);
}

/** The entries ordered by path, and each folder above them that is not among them. */
export function withFolders(entries: readonly Entry[]): Entry[] {
  const byPath = new Map<string, Entry>();
  for (const { path } of entries) {
    const parts = path.split('/');
    for (let depth = 1; depth < parts.length; depth++) {
      const above = parts.slice(0, depth).join('/');
      byPath.set(above, { path: above, folder: true });
    }
  }
  for (const entry of entries) byPath.set(entry.path, entry);
  return [...byPath.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
}

function header(entry: Entry, bytes: number): NodeBuffer {
  const header = Buffer.alloc(block);
  const folder = 'folder' in entry;
  const link = 'link' in entry ? entry.link : '';
  const mode = 'link' in entry ? 0o777 : (entry.mode ?? (folder ? 0o755 : 0o644));
  put(header, 0, 100, folder ? `${entry.path}/` : entry.path);
  put(header, 100, 8, octal(mode, 7));
  put(header, 108, 8, octal(0, 7)); // user and group: root
  put(header, 116, 8, octal(0, 7));
  put(header, 124, 12, octal(bytes, 11));
  put(header, 136, 12, octal(0, 11)); // time
  put(header, 156, 1, folder ? '5' : link === '' ? '0' : '2');
  put(header, 157, 100, link);
  put(header, 257, 8, 'ustar\x0000');
  put(header, 148, 8, ' '.repeat(8)); // the checksum counts its own field as spaces
  const sum = header.reduce((total, byte) => total + byte, 0);
  put(header, 148, 8, `${octal(sum, 6)}\0 `);
  return header;
}

function put(header: NodeBuffer, at: number, room: number, text: string): void {
  if (Buffer.byteLength(text) > room) throw new Error(`too long for a tar header: ${text}`);
  header.write(text, at);
}

function octal(value: number, digits: number): string {
  return value.toString(8).padStart(digits, '0');
}
