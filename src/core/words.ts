/** `3 s`, `5 min`, `2 h`: the largest unit that says enough. */
export function duration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 120_000) return `${Math.round(ms / 1000)} s`;
  if (ms < 7_200_000) return `${Math.round(ms / 60_000)} min`;
  return `${Math.round(ms / 3_600_000)} h`;
}

/** Bytes as GiB with one digit, without it where it is 0; what would be less than 1 GiB as MiB. */
export function gibibytes(bytes: number): string {
  const mebibytes = Math.ceil(bytes / 2 ** 20);
  if (mebibytes > 0 && mebibytes < 1024) return `${mebibytes} MiB`;
  return `${Number((bytes / 2 ** 30).toFixed(1))} GiB`;
}

/** `1 node`, `2 nodes`. */
export function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}

/** With one full stop; texts from elsewhere may bring their own, or end as a question. */
export function sentence(text: string): string {
  const ended = text.replace(/[\s:;,]+$/, '').replace(/\.{2,}$/, '.');
  return /[.?!…]$/.test(ended) ? ended : `${ended}.`;
}

/**
 * Text that comes from a node or a cluster is data: what could move a terminal's cursor or pose as structure of ours is
 * taken out, and one value cannot fill an answer.
 */
export function plainText(text: string, maxCharacters = 300): string {
  return clipped(text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\s]+/gu, ' ').trim(), maxCharacters).toWellFormed();
}

/** What was cut off shows by the `…`. */
export function clipped(text: string, maxCharacters: number): string {
  return text.length > maxCharacters ? `${text.slice(0, maxCharacters)}…` : text;
}

/** What the system said about a file, without the path, which whoever tells it names anyway. */
export function whyUnreadable(thrown: unknown): string {
  const { code } = Object(thrown) as { code?: unknown };
  if (typeof code === 'string' && Object.hasOwn(unreadable, code)) return unreadable[code] ?? code;
  return typeof code === 'string'
    ? code
    : plainText(thrown instanceof Error ? thrown.message : String(thrown));
}

const unreadable: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  ENOTDIR: 'there is no such file',
  EISDIR: 'it is a folder',
  EACCES: 'its permissions forbid it',
  EPERM: 'the system forbids it',
};
