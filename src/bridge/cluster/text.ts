const mostCharacters = 300;

/**
 * Text that someone else wrote, made fit to be shown: one line of at most 300 characters without control or
 * invisible formatting characters. What comes from the cluster is data; it must not draw on a terminal.
 */
export function clean(text: string, limit = mostCharacters): string {
  const line = text
    .replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\s]+/gu, ' ')
    .toWellFormed()
    .trim();
  return line.length <= limit ? line : `${line.slice(0, limit - 1).toWellFormed()}…`;
}

/** `a, b, c and 4 more`. */
export function listed(names: readonly string[], most = 8): string {
  const shown = names.slice(0, most).join(', ');
  return names.length <= most ? shown : `${shown} and ${names.length - most} more`;
}

const collator = new Intl.Collator('en', { numeric: true });

/** gpu-2 before gpu-10. */
export const byName = (a: string, b: string): number => collator.compare(a, b);

/** `Map.groupBy`, which Node 20 lacks. */
export function groupBy<Item, Key>(
  items: readonly Item[],
  keyOf: (item: Item) => Key,
): ReadonlyMap<Key, readonly Item[]> {
  const groups = new Map<Key, Item[]>();
  for (const item of items) {
    const key = keyOf(item);
    const group = groups.get(key);
    if (group) group.push(item);
    else groups.set(key, [item]);
  }
  return groups;
}
