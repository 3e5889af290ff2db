const KNOT_MS = 6 * 60_000;
const RIPPLE_MS = 20_000;

/** 32 bits that depend on every character. FNV-1a, then the finaliser of MurmurHash3. */
export function hash(text: string): number {
  let bits = 0x811c9dc5;
  for (let at = 0; at < text.length; at += 1) bits = Math.imul(bits ^ text.charCodeAt(at), 0x01000193);
  bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b);
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35);
  return (bits ^ (bits >>> 16)) >>> 0;
}

/**
 * How busy something is at a time: 0 (idle) … 1, smooth over minutes, at rest or flat out about half of the time.
 * The same seed and time give the same load.
 */
export function loadAt(seed: string, atMs: number): number {
  const plateaus = clamp((wave(`${seed}/jobs`, atMs / KNOT_MS) - 0.3) / 0.4);
  const ripple = 0.06 * (wave(`${seed}/ripple`, atMs / RIPPLE_MS) - 0.5);
  return plateaus === 0 ? 0 : clamp(plateaus * (0.97 + ripple));
}

/** The mean load of the last three minutes: heat and memory follow work. */
export function laggedLoadAt(seed: string, atMs: number): number {
  const behindMs = [0, 45_000, 90_000, 135_000, 180_000];
  return behindMs.reduce((sum, behind) => sum + loadAt(seed, atMs - behind), 0) / behindMs.length;
}

/** Random values at whole numbers, eased into each other between them. */
function wave(seed: string, x: number): number {
  const left = Math.floor(x);
  const [from, to] = [left, left + 1].map((knot) => hash(`${seed}/${knot}`) / 0x1_0000_0000);
  const part = x - left;
  const eased = part * part * (3 - 2 * part);
  return (from ?? 0) * (1 - eased) + (to ?? 0) * eased;
}

function clamp(x: number): number {
  return Math.min(1, Math.max(0, x));
}
