import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** One type of nvml.h as nvml-layout.json describes it; offsets and sizes in bytes. */
type Layout =
  | {
      kind: 'struct' | 'union';
      size: number;
      align: number;
      fields: { name: string; type: string; offset: number; size: number }[];
    }
  | { kind: 'enum'; size: number; values: Record<string, number> }
  | { kind: 'other'; size: number; type: string };

export const layouts: Record<string, Layout> = JSON.parse(
  readFileSync(join(import.meta.dirname, 'nvml-layout.json'), 'utf8'),
);

/**
 * The C header that proves a hand-written header: one _Static_assert for the size, the alignment and
 * every field of each struct declared there, and for the value of each constant.
 *
 * @param header  the text of nvml-abi.h; only names are taken from it
 * @throws Error when a declared name is not in nvml-layout.json
 */
export function layoutAsserts(header: string): string {
  const structs = [...header.matchAll(/^\} (nvml\w+_t);$/gm)].map(([, name]) => name ?? '');
  const constants = [...header.matchAll(/\b(NVML_\w+) =/g)].map(([, name]) => name ?? '');
  return [...structs.flatMap(structAsserts), ...constants.map(constantAssert), ''].join('\n');
}

function structAsserts(name: string): string[] {
  const layout = layouts[name];
  if (layout?.kind === 'enum') return [equal(`sizeof(${name})`, layout.size)];
  if (layout?.kind !== 'struct' && layout?.kind !== 'union') throw new Error(`no layout of ${name}`);
  return [
    equal(`sizeof(${name})`, layout.size),
    equal(`_Alignof(${name})`, layout.align),
    ...layout.fields.flatMap((field) => [
      equal(`offsetof(${name}, ${field.name})`, field.offset),
      equal(`sizeof(((${name} *)0)->${field.name})`, field.size),
    ]),
  ];
}

function constantAssert(name: string): string {
  const values = Object.values(layouts).flatMap((layout) =>
    layout.kind === 'enum' && Object.hasOwn(layout.values, name) ? [layout.values[name]] : [],
  );
  if (values[0] === undefined) throw new Error(`no value of ${name}`);
  return equal(name, values[0]);
}

function equal(expression: string, expected: number): string {
  return `_Static_assert(${expression} == ${expected}, "nvml-layout.json: ${expression} is ${expected}");`;
}
