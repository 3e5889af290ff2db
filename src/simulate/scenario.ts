import { Fault } from '../core/fault.ts';
import type { GpuReadings } from '../core/gpu.ts';
import type { Reading } from '../core/reading.ts';
import { type Issue, parseLocatedYaml } from './located-yaml.ts';
import type { ModelName } from './models.ts';
import { type ScenarioFile, scenarioFile } from './scenario-file.ts';
import { driverSymbols } from './symbols.ts';
import { wording } from './wording.ts';

/** Made-up GPUs, and what befalls them. Times are in ms since the agent's start. */
export interface Scenario {
  /** At least one. */
  readonly nodes: readonly ScenarioNode[];
  /** By time, then as in the file: of two entries that hold at once the later one counts. */
  readonly timeline: readonly TimelineEntry[];
  readonly kernelLog: readonly { readonly atMs: number; readonly node: string; readonly line: string }[];
  readonly kubernetes: readonly Readonly<Record<string, unknown>>[];
}

export interface ScenarioNode {
  readonly name: string;
  /** `580.126.20` */
  readonly driver: string;
  /** `13.0` */
  readonly cuda: string;
  /** One for each GPU, by index. */
  readonly gpus: readonly ModelName[];
}

export interface TimelineEntry {
  readonly atMs: number;
  /** null: every node. */
  readonly node: string | null;
  /** null: every GPU. */
  readonly gpu: number | null;
  readonly change: Change;
}

/**
 * `set`: readings by name, null for the model's value. `returns`: codes by symbol, 0 for success; `all` is every
 * call on the GPU. `hang`: whether no call on the GPU returns.
 */
export type Change =
  | { readonly kind: 'set'; readonly readings: SetReadings }
  | { readonly kind: 'returns'; readonly codes: Readonly<Record<string, number>> }
  | { readonly kind: 'hang'; readonly hung: boolean };

export type SetReadings = { readonly [Name in keyof GpuReadings]?: Reading<unknown> | null };

/**
 * Reads a scenario file (YAML or JSON); docs/scenario.md describes it.
 *
 * @param fileName for messages only
 * @throws Fault SCENARIO_INVALID: `file.yaml:12:5: what is wrong and what is allowed`, the first few
 */
export function parseScenario(text: string, fileName: string): Scenario {
  const yaml = parseLocatedYaml(text, fileName);
  const parsed = scenarioFile.safeParse(yaml.value, { error: wording, reportInput: true });
  if (!parsed.success) throw yaml.invalid(parsed.error.issues.flatMap(issuesOf));
  const issues = [...sameNames(parsed.data), ...wrongTargets(parsed.data)];
  if (issues.length > 0) throw yaml.invalid(issues);
  return scenarioOf(parsed.data);
}

/** In the order of the file. */
export function nodeNames(scenario: Scenario): string[] {
  return scenario.nodes.map(({ name }) => name);
}

/**
 * @param name undefined: the first node
 * @throws Fault SCENARIO_INVALID, naming the nodes that there are
 */
export function nodeOf(scenario: Scenario, name: string | undefined): ScenarioNode {
  const node = name === undefined ? scenario.nodes[0] : scenario.nodes.find((one) => one.name === name);
  if (node) return node;
  throw new Fault(`the scenario has no node ${name ?? ''}: it has ${nodeNames(scenario).join(', ')}`, {
    code: 'SCENARIO_INVALID',
  });
}

type ParserIssue = { readonly path: PropertyKey[]; readonly message: string; readonly keys?: string[] };

/** An issue of zod; one that lists unknown members becomes one for each. */
function issuesOf(issue: ParserIssue): Issue[] {
  const { path, message, keys } = issue;
  if (!keys) return [{ path, message }];
  return keys.map((key) => ({ path: [...path, key], message: `is not known; ${message}`, ofKey: true }));
}

function sameNames({ nodes }: ScenarioFile): Issue[] {
  const names = nodes.map(({ name }) => name);
  return names.flatMap((name, at) =>
    names.indexOf(name) === at
      ? []
      : [{ path: ['nodes', at, 'name'], message: `${name} is the name of two nodes` }],
  );
}

function wrongTargets({ nodes, timeline, kernelLog }: ScenarioFile): Issue[] {
  const known = new Set(nodes.map(({ name }) => name));
  const message = `is not a node of this scenario: it has ${[...known].join(', ')}`;
  const unknown = (list: string, entries: readonly { node?: string | undefined }[]): Issue[] =>
    entries.flatMap(({ node }, at) =>
      node === undefined || known.has(node)
        ? []
        : [{ path: [list, at, 'node'], message: `${node} ${message}` }],
    );
  return [
    ...unknown('timeline', timeline),
    ...unknown('kernelLog', kernelLog),
    ...timeline.flatMap((entry, at) => [...wrongGpu(entry, at, nodes), ...wrongCalls(entry, at)]),
  ];
}

type FileEntry = ScenarioFile['timeline'][number];

function wrongGpu({ node, gpu }: FileEntry, at: number, nodes: ScenarioFile['nodes']): Issue[] {
  if (gpu === undefined) return [];
  return nodes
    .filter(({ name }) => node === undefined || name === node)
    .map(({ name, gpus }) => ({ name, count: gpus.reduce((sum, { count }) => sum + count, 0) }))
    .filter(({ count }) => gpu >= count)
    .map(({ name, count }) => ({
      path: ['timeline', at, 'gpu'],
      message:
        count === 0 ? `${name} has no GPUs` : `${name} has no GPU ${gpu}: its GPUs are 0 to ${count - 1}`,
    }));
}

function wrongCalls({ gpu, returns = {} }: FileEntry, at: number): Issue[] {
  if (gpu === undefined) return [];
  return driverSymbols
    .filter((symbol) => returns[symbol] !== undefined)
    .map((symbol) => ({
      path: ['timeline', at, 'returns', symbol],
      message: 'is a call on the driver, not on one GPU: leave out gpu',
      ofKey: true,
    }));
}

function scenarioOf({ nodes, timeline, kernelLog, kubernetes }: ScenarioFile): Scenario {
  return {
    nodes: nodes.map(({ gpus, ...node }) => ({
      ...node,
      gpus: gpus.flatMap(({ model, count }) => Array.from({ length: count }, () => model)),
    })),
    timeline: timeline
      .map((entry) => ({
        atMs: entry.at,
        node: entry.node ?? null,
        gpu: entry.gpu ?? null,
        change: changeOf(entry),
      }))
      .sort((a, b) => a.atMs - b.atMs),
    kernelLog: kernelLog.map(({ at, ...line }) => ({ atMs: at, ...line })).sort((a, b) => a.atMs - b.atMs),
    kubernetes,
  };
}

function changeOf({ set, returns, hang }: FileEntry): Change {
  if (set) return { kind: 'set', readings: set as SetReadings };
  if (returns) return { kind: 'returns', codes: returns as Record<string, number> };
  return { kind: 'hang', hung: hang === true };
}
