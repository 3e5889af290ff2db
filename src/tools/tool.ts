import type { z } from 'zod';

import type { NodeClock } from '../core/clock.ts';
import type { Inquiries } from '../core/driver.ts';
import type { EventLog } from '../core/event.ts';
import type { GpuHistory } from '../core/history.ts';
import type { PciGpu } from '../core/pci.ts';
import type { NodeProcesses } from '../core/process.ts';
import type { Answers, Snapshot } from '../core/snapshot.ts';

/** What a tool may touch on a node. Add a member only when a tool uses it. */
export interface NodeContext {
  readonly snapshot: Snapshot;
  /** Monotonic, of the same clock as the snapshot's times. */
  readonly nowMs: number;
  readonly clock: NodeClock;
  readonly events: EventLog;
  readonly processes: NodeProcesses;
  readonly peers: Answers['peers'];
  readonly gpm: Answers['gpm'];
  /** What the kernel sees; null where nobody can look, as on simulated nodes. */
  readonly pciGpus: readonly PciGpu[] | null;
  /** What the GPUs did before now; absent in a program that lives for one call, and has seen nothing yet. */
  readonly history?: GpuHistory;
}

/** One node's answer. The name comes from the Kubernetes API or the user, never from the node itself. */
export interface Answer<T> {
  readonly node: string;
  readonly value: T;
}

/** The answers of many nodes as one: what holds for all, and rows that can be shown page by page, most important first. */
export interface Merged<Head, Row> {
  readonly head: Head;
  readonly rows: readonly Row[];
  /** How many GPUs the answer is about. */
  readonly gpuCount: number;
}

/**
 * One question the product answers, whole: what it takes, how a node answers, and how the answers of many nodes become
 * one text. Shared code never branches on `name`; what differs between tools is declared here.
 *
 * `output` is what travels between agent and bridge, which may be of different versions: it only grows, and every field
 * added later is optional.
 */
export interface Tool<
  In extends z.ZodObject = z.ZodObject,
  Out extends z.ZodObject = z.ZodObject,
  Head extends z.ZodObject = z.ZodObject,
  Row extends z.ZodType = z.ZodType,
> {
  readonly name: string;
  readonly title: string;
  readonly description: string;
  /** What an agent takes, strictly: other arguments are refused; the bridge adds `nodes` and `cursor`. */
  readonly input: In;
  readonly output: Out;
  readonly head: Head;
  readonly row: Row;
  /** What a node asks its driver before it answers; a driver that takes too long is not waited for. */
  readonly inquires?: (args: z.output<In>) => keyof Inquiries | undefined;
  answer(args: z.output<In>, node: NodeContext): z.output<Out>;
  merge(args: z.output<In>, answers: readonly Answer<z.output<Out>>[]): Merged<z.output<Head>, z.output<Row>>;
  headText(head: z.output<Head>): readonly string[];
  rowText(row: z.output<Row>): string;
}

/** Returns its argument: it exists so that TypeScript infers the schemas' types. */
export function defineTool<
  In extends z.ZodObject,
  Out extends z.ZodObject,
  Head extends z.ZodObject,
  Row extends z.ZodType,
>(tool: Tool<In, Out, Head, Row>): Tool<In, Out, Head, Row> {
  return tool;
}
