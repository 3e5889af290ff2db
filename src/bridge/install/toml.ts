import { isDeepStrictEqual } from 'node:util';
import { parse, stringify, TomlError } from 'smol-toml';

import { type Entry, isObject, isOfProcess, isOurs, merged, onlyChanged, plain } from './entry.ts';
import { type Edited, type Place, refused } from './refused.ts';

/**
 * Puts the entry into a host's TOML by its lines: the library would print the file anew, without its comments. Only our own
 * table and its `.env` are touched, and what their owner added to them stays. The result is parsed and compared; where an
 * unusual form (an inline table, a header inside of a string) was not understood, that shows there.
 *
 * @throws Fault HOST_CONFIG_INVALID
 */
export function editToml(text: string, place: Place, entry: Entry): Edited {
  const [key, name] = place.path;
  const document = parsed(text, place);
  const servers = document[key] ?? {};
  if (!isObject(servers)) throw refused(place, `${key} is not a table`);
  const before = plain(servers[name]);
  const after = merged(before, entry);
  if (isDeepStrictEqual(before, after)) return { text, before, after };

  const eol = text.includes('\r\n') ? '\r\n' : '\n';
  const edited = withEntry(text.split(/\r?\n/), place.path, { entry, before, after }).join(eol);
  if (!onlyChanged(place.path, document, attempted(edited), after))
    throw refused(place, `${key} is written in a form that cannot be changed line by line`);
  return { text: edited, before, after };
}

/** The entry alone, as it stands in a file. */
export function printToml([key, name]: Place['path'], entry: unknown): string {
  return stringify({ [key]: { [name]: entry } });
}

function parsed(text: string, place: Place): Record<string, unknown> {
  try {
    return parse(text, { integersAsBigInt: true });
  } catch (error) {
    // Its message goes on with the lines around the mistake.
    const [what = ''] = (error as Error).message.split('\n');
    throw refused(place, what, error instanceof TomlError ? error.line : undefined);
  }
}

function attempted(text: string): unknown {
  try {
    return parse(text, { integersAsBigInt: true });
  } catch {
    return undefined;
  }
}

interface Change {
  readonly entry: Entry;
  readonly before: unknown;
  readonly after: Readonly<Record<string, unknown>>;
}

function withEntry(
  lines: readonly string[],
  path: Place['path'],
  { entry, before, after }: Change,
): string[] {
  const { env, ...main } = entry;
  const isReplaced = !isOfProcess(before);
  const own = [section(lines, path), section(lines, [...path, 'env'])];
  const [mainBody, envBody] = own.map((each) =>
    each && !isReplaced ? lines.slice(each.from + 1, each.to) : [],
  );
  const keptMain = without(mainBody ?? [], (key) => key === 'env' || Object.hasOwn(main, key));
  const envAfter = isObject(after['env']) ? after['env'] : {};
  const keptEnv = without(envBody ?? [], (key) => isOurs(key));
  // Those that stood in the table itself, as `env = { … }`, move to the lines of their own.
  const standing = Object(attempted(keptEnv.join('\n')));
  const added = Object.fromEntries(
    Object.entries(envAfter).filter(([variable]) => !Object.hasOwn(standing, variable)),
  );
  const block = [
    header(path),
    ...body(main),
    ...keptMain,
    ...(env || Object.keys(envAfter).length > 0
      ? ['', header([...path, 'env']), ...body(added), ...keptEnv]
      : []),
  ];
  return placed(lines, own, block);
}

/** In the place of the first of the old sections, or behind everything. */
function placed(
  lines: readonly string[],
  own: readonly (Section | undefined)[],
  block: readonly string[],
): string[] {
  const old = own.filter((each) => each !== undefined).sort((a, b) => b.from - a.from);
  const first = old.at(-1);
  if (!first) {
    const end = lines.findLastIndex((line) => line.trim() !== '') + 1;
    return [...lines.slice(0, end), ...(end > 0 ? [''] : []), ...block, ''];
  }
  const rest = [...lines];
  for (const { from, to } of old) rest.splice(from, to - from, ...(from === first.from ? block : []));
  return rest;
}

function header(path: readonly string[]): string {
  const [line = ''] = stringify(path.reduceRight<object>((inner, key) => ({ [key]: inner }), {})).split('\n');
  return line;
}

function body(values: object): string[] {
  return stringify(values)
    .trimEnd()
    .split('\n')
    .filter((line) => line !== '');
}

interface Section {
  readonly from: number;
  readonly to: number;
}

/** From its header up to the last line that is its own: comments in front of the next header belong to that. */
function section(lines: readonly string[], path: readonly string[]): Section | undefined {
  const from = lines.findIndex((line) => isDeepStrictEqual(headerPath(line), path));
  if (from < 0) return undefined;
  const next = lines.findIndex((line, at) => at > from && headerPath(line) !== undefined);
  const end = next < 0 ? lines.length : next;
  const last = lines.findLastIndex((line, at) => at < end && (at === from || /^\s*[^\s#]/.test(line)));
  return { from, to: last + 1 };
}

/** `[a."b c"]` → `['a', 'b c']`; undefined for every other line. */
function headerPath(line: string): string[] | undefined {
  if (!/^\s*\[/.test(line)) return undefined;
  const path: string[] = [];
  for (let inner: unknown = attempted(line); isObject(inner) || Array.isArray(inner); ) {
    if (Array.isArray(inner)) return [...path, '[]'];
    const [next] = Object.entries(inner);
    if (!next) break;
    path.push(next[0]);
    inner = next[1];
  }
  return path.length > 0 ? path : undefined;
}

/** Without the values whose key is dropped, each of which may go over several lines. */
function without(lines: readonly string[], isDropped: (key: string) => boolean): string[] {
  const kept: string[] = [];
  for (let at = 0; at < lines.length; ) {
    const length = valueLines(lines.slice(at));
    const [key] = Object.keys(
      (attempted(lines.slice(at, at + length).join('\n')) as object | undefined) ?? {},
    );
    if (key === undefined || !isDropped(key)) kept.push(...lines.slice(at, at + length));
    at += length;
  }
  return kept;
}

/** How many lines it takes until they can be parsed on their own. */
function valueLines(lines: readonly string[]): number {
  const upTo = lines.findIndex((_, at) => attempted(lines.slice(0, at + 1).join('\n')) !== undefined);
  return upTo < 0 ? 1 : upTo + 1;
}
