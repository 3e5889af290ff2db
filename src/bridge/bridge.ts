import { randomUUID } from 'node:crypto';

import type { z } from 'zod';

import { Fault } from '../core/fault.ts';
import { fleetArguments, parseArguments } from '../tools/arguments.ts';
import { clocksOf, clocksText, listed } from '../tools/clocks.ts';
import { present } from '../tools/present.ts';
import type { Tool } from '../tools/tool.ts';
import { type Envelope, envelopeText, statusOf } from './fleet/envelope.ts';
import type { Asked, Fleet } from './fleet/fleet.ts';

/** One answer of the bridge: for a reader, and for a program. */
export interface BridgeAnswer {
  readonly text: string;
  readonly structured: Readonly<Record<string, unknown>>;
  readonly status: Envelope['status'];
  readonly failed: Envelope['failed'];
}

export interface CallOptions {
  readonly signal: AbortSignal;
  /** So many of the nodes asked have answered or failed. */
  readonly onProgress: (done: number, total: number) => void;
}

const fleetInputs = new Map<Tool, z.ZodObject>();

/** What the bridge takes for a tool: the agent's arguments, and its own. Made once: a check is compiled at its first use. */
export function fleetInput(tool: Tool): z.ZodObject {
  const input = fleetInputs.get(tool) ?? tool.input.extend(fleetArguments);
  fleetInputs.set(tool, input);
  return input;
}

/**
 * Asks the fleet and merges what came.
 *
 * @throws Fault for wrong arguments, and when nobody could be asked at all; or the caller's abort reason
 */
export async function callTool(
  fleet: Fleet,
  tool: Tool,
  given: unknown,
  { signal, onProgress }: CallOptions,
): Promise<BridgeAnswer> {
  const startedMs = performance.now();
  const requestId = randomUUID().slice(0, 8);
  const args = parseArguments(fleetInput(tool), given) as Record<string, unknown>;
  const asked = await fleet.ask({
    tool,
    args: agentArguments(tool, args),
    nodes: args['nodes'] as readonly string[] | undefined,
    requestId,
    signal,
    onProgress,
  });
  refusedByAll(asked);
  const clocks = clocksOf(asked.answers);
  const silent = asked.failed.length + asked.withoutAgent.length;
  const envelope: Envelope = {
    status: statusOf(asked.answers.length, silent),
    requestId,
    durationMs: Math.round(performance.now() - startedMs),
    nodesTotal: asked.nodesTotal,
    answered: asked.answers.length,
    failed: [...asked.failed],
    withoutAgent: [...asked.withoutAgent],
    clocks: listed(clocks),
  };
  const { status, failed } = envelope;
  const preamble = envelopeText(envelope, { notes: asked.notes, named: args['nodes'] !== undefined });
  if (asked.answers.length === 0) return { text: preamble.join('\n'), structured: envelope, status, failed };
  const { text, structured } = present(tool, args, asked.answers, {
    preamble,
    clocks: clocksText(clocks, envelope.durationMs),
    silent,
  });
  return { text, structured: { ...envelope, ...structured }, status, failed };
}

/** Agents answer with full rows: what is shown, and how much of it, is decided once all have answered. */
function agentArguments(tool: Tool, args: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const own = Object.keys(tool.input.shape).filter((name) => name !== 'limit' && args[name] !== undefined);
  return { ...Object.fromEntries(own.map((name) => [name, args[name]])), detail: 'full' };
}

/** What every node refused with one code is the caller's to mend, not the nodes' failure. */
function refusedByAll({ answers, failed, withoutAgent }: Asked<unknown>): void {
  const [first] = failed;
  if (!first || answers.length > 0 || withoutAgent.length > 0) return;
  if (first.code !== 'BAD_ARGUMENT' || failed.some(({ code }) => code !== first.code)) return;
  throw new Fault(first.message, { code: 'BAD_ARGUMENT' });
}
