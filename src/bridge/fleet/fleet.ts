import pLimit from 'p-limit';
import type { z } from 'zod';

import { Fault } from '../../core/fault.ts';
import type { Log } from '../../core/log.ts';
import { byName } from '../../core/names.ts';
import type { Answer, Tool } from '../../tools/tool.ts';
import { type FailedNode, failedNode } from './envelope.ts';
import type { Limits } from './limits.ts';
import { FleetNode, type Member } from './node.ts';
import { takePlace } from './place.ts';
import { selectNodes } from './select.ts';
import { tieFor } from './tie.ts';

/** Who is in the fleet now. */
export interface Roster {
  readonly members: readonly Member[];
  readonly withoutAgent: readonly { readonly node: string; readonly why: string }[];
  /** False where nodes may not be listed: then nobody knows whether these are all. */
  readonly complete: boolean;
  readonly notes: readonly string[];
}

export interface FleetOptions {
  readonly roster: (signal: AbortSignal) => Promise<Roster>;
  readonly token: string | undefined;
  readonly limits: Limits;
  readonly log: Log;
}

export interface Asked<T> {
  readonly answers: readonly Answer<T>[];
  readonly failed: readonly FailedNode[];
  readonly withoutAgent: Roster['withoutAgent'];
  readonly nodesTotal: number | null;
  readonly notes: readonly string[];
}

export interface Question<T extends Tool> {
  readonly tool: T;
  /** What the agents get; `nodes` and `cursor` are the bridge's own. */
  readonly args: Readonly<Record<string, unknown>>;
  readonly nodes: readonly string[] | undefined;
  readonly requestId: string;
  readonly signal: AbortSignal;
  readonly onProgress: (done: number, total: number) => void;
}

export interface Fleet {
  /**
   * Asks every node in question at once; one node's failure costs only its own answer.
   *
   * @throws Fault when nobody can be asked at all, or the caller's abort reason
   */
  ask<T extends Tool>(question: Question<T>): Promise<Asked<z.output<T['output']>>>;
  close(): void;
}

const maxDials = 64;
const suspectDials = 8;
/**
 * Calls in progress at once; the others wait for their turn before their time begins. Each node has one stream, so more
 * would only wait behind each other, and a healthy node would be told to be silent for the wait in our own queue.
 */
const maxFanOuts = 4;

export function createFleet(options: FleetOptions): Fleet {
  const crew = createCrew(options);
  const fanOuts = pLimit(maxFanOuts);
  let turn = 0;

  async function askWithin<T extends Tool>(
    either: AbortSignal,
    question: Question<T>,
  ): Promise<Asked<z.output<T['output']>>> {
    const { limits, log, roster } = options;
    const { signal, requestId, tool } = question;
    const { members, withoutAgent, complete, notes } = await inTime(roster(either), either, signal, limits);
    const known = crew.follow(members);
    const all = [...known.map(({ name }) => name), ...withoutAgent.map(({ node }) => node)].sort(byName);
    const healthy = known.filter((node) => !node.failure).map(({ name }) => name);
    const chosen = selectNodes(question.nodes, all, { healthy, turn: turn++ });
    const asked = known.filter(({ name }) => chosen.has(name));
    const { answers, failed } = await askAll(asked, question, { either, signal, limits, log });
    const failures = failed.map(({ node, code }) => ({ node, code }));
    log.info('call', { tool: tool.name, requestId, answered: answers.length, failed: failures });
    return {
      answers,
      failed,
      withoutAgent: withoutAgent.filter(({ node }) => chosen.has(node)),
      nodesTotal: complete ? chosen.size : null,
      notes,
    };
  }

  return {
    async ask(question) {
      const leave = await takePlace(fanOuts, question.signal);
      const { signal: either, release } = tieFor(options.limits.fanOutMs, question.signal);
      try {
        return await askWithin(either, question);
      } finally {
        release();
        leave();
      }
    },
    close: () => void crew.follow([]),
  };
}

interface Crew {
  /** Nodes whose agent is the same keep their stream and what is known of them; the others' are closed. */
  follow(members: readonly Member[]): readonly FleetNode[];
}

function createCrew({ token, limits, log }: FleetOptions): Crew {
  const nodes = new Map<string, FleetNode>();
  const dials = { usual: pLimit(maxDials - suspectDials), suspect: pLimit(suspectDials) };
  return {
    follow(members) {
      const keys = new Set(members.map(({ key }) => key));
      for (const [key, node] of nodes) {
        if (keys.has(key)) continue;
        node.close();
        nodes.delete(key);
      }
      return members.map((member) => {
        const node = nodes.get(member.key) ?? new FleetNode(member, { token, limits, log, dials });
        nodes.set(member.key, node);
        return node;
      });
    },
  };
}

interface Waiting {
  readonly either: AbortSignal;
  readonly signal: AbortSignal;
  readonly limits: Limits;
  readonly log: Log;
}

async function askAll<T extends Tool>(
  nodes: readonly FleetNode[],
  { tool, args, requestId, nodes: named, onProgress }: Question<T>,
  { either, signal, limits, log }: Waiting,
): Promise<{ answers: Answer<z.output<T['output']>>[]; failed: FailedNode[] }> {
  const answers: Answer<z.output<T['output']>>[] = [];
  const failed: FailedNode[] = [];
  // Who names a node waits for it; and when none answered last time, waiting is all that is left to do.
  const waitForAll = named !== undefined || nodes.every((node) => node.failure);
  await Promise.all(
    nodes.map(async (node) => {
      const known = waitForAll ? undefined : node.failure;
      if (known) {
        node.passedOver();
        failed.push(failedNode(node.name, known.fault, known.triedAt));
      } else
        try {
          const { value, times } = await node.ask(tool, args, requestId, either);
          answers.push({ node: node.name, value });
          log.debug('answer', { node: node.name, requestId, ...rounded(times) });
        } catch (thrown) {
          signal.throwIfAborted();
          const triedAt = node.failure?.triedAt ?? new Date();
          failed.push(failedNode(node.name, faultOf(thrown, either, limits), triedAt));
        }
      onProgress(answers.length + failed.length, nodes.length);
    }),
  );
  const inOrder = <Row extends { node: string }>(rows: Row[]) => rows.sort((a, b) => byName(a.node, b.node));
  return { answers: inOrder(answers), failed: inOrder(failed) };
}

function faultOf(thrown: unknown, either: AbortSignal, { fanOutMs }: Limits): Fault {
  if (thrown instanceof Fault || !either.aborted) return Fault.from(thrown);
  return new Fault(`not reached within the ${fanOutMs} ms of the whole call`, { code: 'NODE_TIMEOUT' });
}

/** After the deadline: whoever makes the roster hears of it as we do, and can say who it was that kept us waiting. */
const graceMs = 250;

/** The cluster's API server, a credential plugin, a proxy: none of them may hold an answer back for ever. */
async function inTime<T>(
  work: Promise<T>,
  either: AbortSignal,
  caller: AbortSignal,
  limits: Limits,
): Promise<T> {
  try {
    return await new Promise<T>((resolve, reject) => {
      const leave = () => reject(either.reason);
      const late = () => (caller.aborted ? leave() : setTimeout(leave, graceMs));
      either.addEventListener('abort', late, { once: true });
      work.then((done) => (either.aborted ? leave() : resolve(done)), reject);
    });
  } catch (thrown) {
    caller.throwIfAborted();
    if (thrown instanceof Fault) throw thrown;
    if (!either.aborted) throw Fault.from(thrown);
    throw new Fault(`the cluster's API server gave no list of nodes and pods within ${limits.fanOutMs} ms`, {
      code: 'CLUSTER_UNREACHABLE',
      cause: thrown,
    });
  }
}

function rounded(times: object): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(times).map(([name, ms]) => [name, typeof ms === 'number' ? Math.round(ms) : ms]),
  );
}
