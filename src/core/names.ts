/** Made when first used: it takes 15 ms, a tenth of the time in which a host waits for a bridge to start. */
let collator: Intl.Collator | undefined;

/** `gpu-2` before `gpu-10`: the order in which nodes and GPUs are always listed. */
export function byName(a: string, b: string): number {
  collator ??= new Intl.Collator('en', { numeric: true });
  return collator.compare(a, b);
}

/**
 * `['gpu-1', 'gpu-2', 'gpu-3', 'cpu']` → `cpu,gpu-[1-3]`: names that differ only in the last number of their first
 * DNS label share one pattern, as in Slurm and ClusterShell. What does not fit is counted: `a,b … and 900 more`.
 */
export function foldNames(names: readonly string[], maxCharacters = 1500): string {
  const families = new Map<string, string[]>();
  for (const name of [...new Set(names)].sort(byName)) {
    const [, prefix = '', digits = '', suffix = ''] = /^([^.]*?)(\d*)([^\d.]*(?:\..*)?)$/s.exec(name) ?? [];
    const key = JSON.stringify([prefix, suffix, /^0./.test(digits) ? digits.length : 0]);
    families.set(key, [...(families.get(key) ?? []), digits]);
  }
  const folded = [...families].map(([key, digits]) => ({
    text: foldFamily(key, digits),
    names: digits.length,
  }));
  const whole = folded.map(({ text }) => text).join(',');
  return whole.length <= maxCharacters ? whole : cut(folded, maxCharacters);
}

/** `cpu,gpu-[1,3]` → `cpu` and `gpu-[1,3]`: a comma inside of brackets or braces is the pattern's own. */
export function splitNames(list: string): string[] {
  const names = [''];
  let depth = 0;
  for (const character of list) {
    if ('[{('.includes(character)) depth += 1;
    if (']})'.includes(character)) depth -= 1;
    if (character === ',' && depth <= 0) names.push('');
    else names[names.length - 1] += character;
  }
  const given = names.map((name) => name.trim()).filter((name) => name !== '');
  return given.length > 0 ? given : [list];
}

function cut(folded: readonly { text: string; names: number }[], maxCharacters: number): string {
  const kept: string[] = [];
  let left = folded.reduce((sum, { names }) => sum + names, 0);
  let room = maxCharacters;
  for (const { text, names } of folded) {
    room -= text.length + 1;
    if (room < 0) break;
    kept.push(text);
    left -= names;
  }
  return `${kept.join(',')} … and ${left} more`;
}

function foldFamily(key: string, digits: readonly string[]): string {
  const [prefix, suffix] = JSON.parse(key) as [string, string, number];
  const runs: [string, string][] = [];
  for (const number of digits) {
    const run = runs.at(-1);
    if (run && BigInt(number) === BigInt(run[1]) + 1n) run[1] = number;
    else runs.push([number, number]);
  }
  const ranges = runs.map(([first, last]) => (first === last ? first : `${first}-${last}`)).join(',');
  return digits.length === 1 ? `${prefix}${ranges}${suffix}` : `${prefix}[${ranges}]${suffix}`;
}
