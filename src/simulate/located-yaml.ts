import {
  type Document,
  isAlias,
  isMap,
  isNode,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseDocument,
} from 'yaml';

import { Fault } from '../core/fault.ts';

/** Something wrong with a value: the way to it from the top of the file, and what. */
export interface Issue {
  readonly path: readonly PropertyKey[];
  readonly message: string;
  /** It is the name of the last member in `path` that is wrong, not its value. */
  readonly ofKey?: boolean;
}

export interface LocatedYaml {
  /** As JSON.parse would give it. */
  readonly value: unknown;
  /** `file.yaml:12:5: timeline[0].at: must be …`, a line for each issue, by place in the file, the first few. */
  invalid(issues: readonly Issue[]): Fault;
}

const SHOWN = 5;

interface Problem {
  readonly offset: number;
  readonly message: string;
}

/** @throws Fault SCENARIO_INVALID, with line and column, when the text is not YAML */
export function parseLocatedYaml(text: string, fileName: string): LocatedYaml {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const fault = (problems: readonly Problem[]) => invalid(problems, fileName, lines);
  if (document.errors.length > 0) {
    throw fault(document.errors.map(({ pos, message }) => ({ offset: pos[0], message })));
  }
  return {
    value: plain(document, fault),
    invalid: (issues) =>
      fault(
        issues.map(({ path, message, ofKey = false }) => ({
          offset: offsetOf(document, path, ofKey),
          message: path.length === 0 ? message : `${written(path)}: ${message}`,
        })),
      ),
  };
}

function plain(document: Document, fault: (problems: readonly Problem[]) => Fault): unknown {
  try {
    return document.toJS();
  } catch (cause) {
    throw fault([{ offset: 0, message: cause instanceof Error ? cause.message : String(cause) }]); // an alias bomb
  }
}

function invalid(problems: readonly Problem[], fileName: string, lines: LineCounter): Fault {
  const sorted = [...problems].sort((a, b) => a.offset - b.offset);
  const shown = sorted.slice(0, SHOWN).map(({ offset, message }) => {
    const { line, col } = lines.linePos(offset);
    return `${fileName}:${Math.max(line, 1)}:${Math.max(col, 1)}: ${message}`;
  });
  if (sorted.length > SHOWN) shown.push(`… and ${sorted.length - SHOWN} more`);
  return new Fault(shown.join('\n'), { code: 'SCENARIO_INVALID' });
}

/** Where the value at a path begins; of a path that leads nowhere (a missing member), where its parent begins. */
function offsetOf(document: Document, path: readonly PropertyKey[], ofKey: boolean): number {
  let node: unknown = document.contents;
  let offset = startOf(node) ?? 0;
  path.forEach((step, depth) => {
    const { key, value } = childOf(resolved(node, document), step);
    const named = ofKey && depth === path.length - 1;
    offset = startOf(named ? key : value) ?? startOf(key) ?? offset;
    node = value;
  });
  return offset;
}

function childOf(node: unknown, step: PropertyKey): { key?: unknown; value?: unknown } {
  if (isSeq(node)) return { value: node.items[Number(step)] };
  if (!isMap(node)) return {};
  return node.items.find(({ key }) => isScalar(key) && String(key.value) === String(step)) ?? {};
}

function resolved(node: unknown, document: Document): unknown {
  return isAlias(node) ? node.resolve(document) : node;
}

function startOf(node: unknown): number | undefined {
  return isNode(node) ? (node as Node).range?.[0] : undefined;
}

function written(path: readonly PropertyKey[]): string {
  return path
    .map((step, depth) =>
      typeof step === 'number' ? `[${step}]` : `${depth === 0 ? '' : '.'}${String(step)}`,
    )
    .join('');
}
