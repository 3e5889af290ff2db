/** Two texts as lines, those that only one of them has marked by `-` and `+`: as much as an entry of a file needs. */
export function difference(before: readonly string[], after: readonly string[]): readonly string[] {
  const start = common(before, after);
  const rest = [before.slice(start), after.slice(start)] as const;
  const end = common(rest[0].toReversed(), rest[1].toReversed());
  const [removed, added] = rest.map((lines) => lines.slice(0, lines.length - end));
  return [
    ...marked(' ', after.slice(0, start)),
    ...marked('-', removed ?? []),
    ...marked('+', added ?? []),
    ...marked(' ', after.slice(after.length - end)),
  ];
}

function common(a: readonly string[], b: readonly string[]): number {
  const at = a.findIndex((line, index) => line !== b[index]);
  return at < 0 ? a.length : at;
}

function marked(mark: string, lines: readonly string[]): readonly string[] {
  return lines.map((line) => `${mark} ${line}`);
}
