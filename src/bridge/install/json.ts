import { isDeepStrictEqual } from 'node:util';

import {
  applyEdits,
  type FormattingOptions,
  findNodeAtLocation,
  type JSONPath,
  modify,
  type Node,
  type ParseError,
  parse,
  parseTree,
  printParseErrorCode,
  stripComments,
} from 'jsonc-parser';

import { type Entry, isObject, isOfProcess, merged, onlyChanged } from './entry.ts';
import { type Edited, type Place, refused } from './refused.ts';

/**
 * Puts the entry into a host's JSON. Every byte outside of it stays as it is, but for the comma in front of it: the library's
 * own insertion formats whole lines, and so the whole of a file that is one line.
 *
 * @throws Fault HOST_CONFIG_INVALID
 */
export function editJson(text: string, place: Place, entry: Entry, comments: boolean): Edited {
  const [key, name] = place.path;
  const allowed = { disallowComments: !comments, allowTrailingComma: comments };
  if ((comments ? stripComments(text) : text).trim() === '') {
    const fresh = `${JSON.stringify({ [key]: { [name]: entry } }, null, 2)}\n`;
    return {
      text: text.trim() === '' ? fresh : `${text.trimEnd()}\n${fresh}`,
      before: undefined,
      after: entry,
    };
  }
  const root = checkedTree(text, place, allowed);
  const document: unknown = parse(text, [], allowed);
  const before = serverIn(document, root, text, place);
  const after = merged(before, entry);
  if (isDeepStrictEqual(before, after)) return { text, before, after };

  const edited = isOfProcess(before)
    ? changed(text, [key, name], before, after)
    : set(text, [key, name], after);
  if (!onlyChanged(place.path, document, parse(edited, [], allowed), after))
    throw refused(place, 'it cannot be changed without touching other parts: is a key in it twice?');
  return { text: edited, before, after };
}

function checkedTree(text: string, place: Place, allowed: object): Node {
  const errors: ParseError[] = [];
  const root = parseTree(text, errors, allowed);
  const [first] = errors;
  if (first || !root) {
    const what = first ? printParseErrorCode(first.error).replace(/(?<=.)([A-Z])/g, ' $1') : 'nothing in it';
    throw refused(place, what.toLowerCase(), lineAt(text, first?.offset ?? 0));
  }
  if (root.type !== 'object')
    throw refused(place, `it holds ${article(root.type)} where an object is expected`);
  return root;
}

function serverIn(document: unknown, root: Node, text: string, { path, ...place }: Place): unknown {
  const [key, name] = path;
  const servers = findNodeAtLocation(root, [key]);
  if (servers === undefined) return undefined;
  const parsed = isObject(document) ? document[key] : undefined;
  if (servers.type !== 'object' || !isObject(parsed))
    throw refused(
      { ...place, path },
      `${key} is ${article(servers.type)} where an object is expected`,
      lineAt(text, servers.offset),
    );
  return parsed[name];
}

function lineAt(text: string, offset: number): number {
  return text.slice(0, offset).split('\n').length;
}

function article(type: string): string {
  return type === 'null' ? type : `${/^[ao]/.test(type) ? 'an' : 'a'} ${type}`;
}

/** Value by value, so that the comments inside of an entry and what its owner added stay where they are. */
function changed(text: string, path: JSONPath, before: object, after: object): string {
  const keys = [...new Set([...Object.keys(before), ...Object.keys(after)])];
  return keys.reduce((edited, key) => {
    const [old, wanted] = [(before as never)[key] as unknown, (after as never)[key] as unknown];
    if (isDeepStrictEqual(old, wanted)) return edited;
    if (isObject(old) && isObject(wanted)) return changed(edited, [...path, key], old, wanted);
    return set(edited, [...path, key], wanted);
  }, text);
}

function set(text: string, path: JSONPath, value: unknown): string {
  const root = parseTree(text, [], { allowTrailingComma: true });
  const parent = path.slice(0, -1);
  const node = root && findNodeAtLocation(root, path);
  if (root && !node) {
    const key = String(path.at(-1));
    const into = findNodeAtLocation(root, parent);
    return into ? inserted(text, into, key, value) : set(text, parent, { [key]: value });
  }
  const without = value === undefined && node?.parent ? removed(text, node.parent) : undefined;
  return without ?? applyEdits(text, modify(text, path, value, { formattingOptions: formatOf(text) }));
}

/** Without the property; undefined where it is the only one, or a comment stands at its comma. */
function removed(text: string, property: Node): string | undefined {
  const siblings = property.parent?.children ?? [];
  const at = siblings.indexOf(property);
  const before = siblings[at - 1];
  const end = property.offset + property.length;
  const comma = /^\s*,[ \t]*(?:\r?\n[ \t]*)?/.exec(text.slice(end))?.[0];
  if (comma !== undefined && at < siblings.length - 1)
    return text.slice(0, property.offset) + text.slice(end + comma.length);
  if (!before || at < siblings.length - 1) return undefined;
  const from = before.offset + before.length;
  const between = text.slice(from, property.offset).trimEnd();
  if (comma !== undefined) return text.slice(0, from) + between + text.slice(end).replace(/^\s*,/, '');
  return between.startsWith(',') ? text.slice(0, from) + between.slice(1) + text.slice(end) : undefined;
}

/** Behind the last one of its object, on lines of its own where that one has them. */
function inserted(text: string, into: Node, key: string, value: unknown): string {
  const { eol = '\n', tabSize = 2, insertSpaces = true } = formatOf(text);
  const unit = insertSpaces ? ' '.repeat(tabSize) : '\t';
  const last = into.children?.at(-1);
  const open = last ? indentBefore(text, last.offset) : undefined;
  const indent = last ? open : indentOfLine(text, into.offset) + unit;
  const printed =
    indent === undefined
      ? `${JSON.stringify(key)}: ${JSON.stringify(value)}`
      : `${JSON.stringify(key)}: ${JSON.stringify(value, null, unit)}`.replaceAll('\n', eol + indent);
  if (!last) {
    const end = into.offset + into.length - 1;
    const before = text.slice(0, end).trimEnd();
    return `${before}${eol}${indent}${printed}${eol}${indentOfLine(text, into.offset)}${text.slice(end)}`;
  }
  const end = last.offset + last.length;
  if (indent === undefined) return `${text.slice(0, end)}, ${printed}${text.slice(end)}`;
  // What stands behind it on its line, such as a comment of its own, stays with it.
  const [, comma = '', rest = ''] =
    /^([ \t]*,)?((?:[ \t]*\/\*[^\r\n]*?\*\/)*[ \t]*(?:\/\/[^\r\n]*)?)(?=\r?\n)/.exec(text.slice(end)) ?? [];
  const to = end + comma.length + rest.length;
  return `${text.slice(0, end)},${rest}${eol}${indent}${printed}${comma.trim()}${text.slice(to)}`;
}

/** The white space in front of it, or undefined where something else shares its line. */
function indentBefore(text: string, offset: number): string | undefined {
  return /(?:^|\n)([ \t]*)$/.exec(text.slice(0, offset))?.[1];
}

function indentOfLine(text: string, offset: number): string {
  return /(?:^|\n)([ \t]*)[^\n]*$/.exec(text.slice(0, offset))?.[1] ?? '';
}

/** As the file is written already: the first line that is set in tells. */
function formatOf(text: string): FormattingOptions {
  const [, indent = '  '] = /\n([ \t]+)\S/.exec(text) ?? [];
  const eol = text.includes('\r\n') ? '\r\n' : '\n';
  return {
    eol,
    insertSpaces: !indent.startsWith('\t'),
    tabSize: indent.startsWith('\t') ? 1 : indent.length,
  };
}
