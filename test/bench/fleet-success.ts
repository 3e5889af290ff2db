import { models } from '../../src/simulate/models.ts';
import type { FleetScenario } from '../support/fleet/scenario.ts';

/** What is true of a node: it has so many GPUs of this model. */
export interface KnownNode {
  readonly node: string;
  readonly gpus: number;
  readonly model: string;
}

/** What an answer must say: of whom it must carry the data, and whom else it must account for. */
export interface Expected {
  readonly healthy: readonly KnownNode[];
  readonly others: readonly string[];
}

interface HealthAnswer {
  readonly status: string;
  readonly nodesTotal: number | null;
  readonly answered: number;
  readonly failed: readonly { readonly node: string; readonly code: string }[];
  readonly withoutAgent: readonly { readonly node: string }[];
  readonly rows?: readonly HealthRow[];
  readonly page?: { readonly nextCursor: string | null };
}

type HealthRow =
  | {
      readonly kind: 'okNodes';
      readonly nodes: readonly string[];
      readonly gpusPerNode: number;
      readonly model: string | null;
    }
  | { readonly kind: 'gpu'; readonly node: string; readonly gpu: { readonly name: string | null } }
  | { readonly kind: 'driverProblem' | 'noGpus' };

/** Taken from the scenario that the agents run, never from what a bridge said. */
export function knownNodes({ scenario }: FleetScenario): KnownNode[] {
  return scenario.nodes.map(({ name, gpus }) => {
    const [first] = gpus;
    return { node: name, gpus: gpus.length, model: first === undefined ? '' : models[first].productName };
  });
}

/**
 * Why a call of get_gpu_health did not succeed, or undefined where it did. It succeeds if it carries the data of every
 * healthy node — its GPUs, as many and of the model that they are, each once — and accounts for every other node: in
 * exactly one stated group, with a code where it was asked. Nobody else occurs in it, and nothing is left for a next page.
 */
export function whyNoSuccess(structured: unknown, { healthy, others }: Expected): string | undefined {
  if (typeof structured !== 'object' || structured === null) return 'no structured content';
  const answer = structured as HealthAnswer;
  const silent = [...answer.failed, ...answer.withoutAgent].map(({ node }) => node);
  const facts: readonly (readonly [string, unknown, unknown])[] = [
    ['status', answer.status, statusOf(healthy.length, others.length)],
    ['nodesTotal', answer.nodesTotal, healthy.length + others.length],
    ['answered', answer.answered, healthy.length],
    ['silent nodes', sorted(silent), sorted(others)],
    ['failed nodes without a code', answer.failed.filter(({ code }) => !code).length, 0],
    ['GPUs', sorted(gpusIn(answer.rows ?? [])), sorted(healthy.map(gpuLine))],
    ['next page', answer.page?.nextCursor ?? null, null],
  ];
  const wrong = facts.find(([, is, expected]) => JSON.stringify(is) !== JSON.stringify(expected));
  return wrong && `${wrong[0]}: ${JSON.stringify(wrong[1])} instead of ${JSON.stringify(wrong[2])}`;
}

function statusOf(healthy: number, others: number): string {
  if (healthy === 0) return 'error';
  return others === 0 ? 'success' : 'partial';
}

/** Of each node one line, or several where its GPUs are told of in several models. */
function gpusIn(rows: readonly HealthRow[]): string[] {
  const counts = new Map<string, KnownNode>();
  const add = (node: string, model: string, gpus: number) => {
    const key = JSON.stringify([node, model]);
    counts.set(key, { node, model, gpus: (counts.get(key)?.gpus ?? 0) + gpus });
  };
  for (const row of rows) {
    if (row.kind === 'gpu') add(row.node, row.gpu.name ?? '', 1);
    if (row.kind === 'okNodes') for (const node of row.nodes) add(node, row.model ?? '', row.gpusPerNode);
  }
  return [...counts.values()].map(gpuLine);
}

function gpuLine({ node, gpus, model }: KnownNode): string {
  return `${node}: ${gpus} × ${model}`;
}

function sorted(lines: readonly string[]): string[] {
  return [...lines].sort();
}
