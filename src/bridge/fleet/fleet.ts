import pLimit from 'p-limit';
import type { z } from 'zod';

import { Fault } from '../../core/fault.ts';
import type { Log } from '../../core/log.ts';
import { byName } from '../../core/names.ts';
import type { Answer, Tool } from '../../tools/tool.ts';
import { askAll, type Circumstances, type Now } from './ask-all.ts';
import { type Crew, createCrew } from './crew.ts';
import type { FailedNode } from './envelope.ts';
import type { Limits } from './limits.ts';
import type { Member } from './member.ts';
import type { FleetNode } from './node.ts';
import { takePlace } from './place.ts';
import { selectNodes } from './select.ts';
import { tie, tieFor, untilAborted } from './tie.ts';

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
   * @throws Fault when nobody can be asked at all, or it is closed; or the caller's abort reason
   */
  ask<T extends Tool>(question: Question<T>): Promise<Asked<z.output<T['output']>>>;
  /** Ends what is in progress, for good: nobody is asked or dialled any more. */
  close(): void;
}

/**
 * Calls in progress at once; the others wait for their turn before their time begins. Each node has one stream, so more
 * would only wait behind each other, and a healthy node would be told to be silent for the wait in our own queue.
 */
const maxFanOuts = 4;

export function createFleet(options: FleetOptions): Fleet {
  const { limits, log, roster } = options;
  const crew = createCrew(options);
  const fanOuts = pLimit(maxFanOuts);
  let turn = 0;

  /** Who is in question, as far as that can be found out within the time of a call. */
  async function choose({ nodes, signal }: Pick<Question<Tool>, 'nodes' | 'signal'>): Promise<Chosen> {
    const { signal: either, release } = tieFor(limits.fanOutMs, signal);
    try {
      const found = await inTime(roster(either), either, signal, limits.fanOutMs);
      const { members, withoutAgent, complete, notes } = found;
      const known = crew.follow(members);
      const all = [...known.map(({ name }) => name), ...withoutAgent.map(({ node }) => node)].sort(byName);
      const healthy = known.filter((node) => !node.failure).map(({ name }) => name);
      const chosen = selectNodes(nodes, all, { healthy, turn: turn++ });
      return {
        asked: known.filter(({ name }) => chosen.has(name)),
        withoutAgent: withoutAgent.filter(({ node }) => chosen.has(node)),
        nodesTotal: complete ? chosen.size : null,
        notes,
      };
    } finally {
      release();
    }
  }

  async function askInTurn<T extends Tool>(question: Question<T>): Promise<Asked<z.output<T['output']>>> {
    const startedMs = performance.now();
    const { asked, ...rest } = await choose(question);
    const { waits, release } = waitsFor(limits, performance.now() - startedMs, question.signal);
    const lookAgain = () => secondLook(options, crew, question.signal);
    try {
      const { answers, failed } = await askAll(asked, question, { waits, lookAgain, log });
      logCall(log, question, { answers, failed });
      return { answers, failed, ...rest };
    } finally {
      release();
    }
  }

  return {
    async ask(question) {
      const { signal, release } = tie(question.signal, crew.closed);
      let leave = () => {};
      try {
        leave = await takePlace(fanOuts, signal);
        return await askInTurn({ ...question, signal });
      } finally {
        leave();
        release();
      }
    },
    close: () => crew.close(),
  };
}

interface Chosen extends Pick<Asked<unknown>, 'withoutAgent' | 'nodesTotal' | 'notes'> {
  readonly asked: readonly FleetNode[];
}

function logCall(
  log: Log,
  { tool, requestId }: Question<Tool>,
  { answers, failed }: Pick<Asked<unknown>, 'answers' | 'failed'>,
): void {
  const failures = failed.map(({ node, code }) => ({ node, code }));
  log.info('call', { tool: tool.name, requestId, answered: answers.length, failed: failures });
}

/** What is left of a call's time. */
function waitsFor(
  { fanOutMs, exec }: Limits,
  spentMs: number,
  caller: AbortSignal,
): { readonly waits: Circumstances['waits']; release(): void } {
  const usual = tieFor(Math.max(1, fanOutMs - spentMs), caller);
  const byExec = tieFor(Math.max(1, exec.fanOutMs - spentMs), caller);
  return {
    waits: {
      usual: { signal: usual.signal, fanOutMs },
      byExec: { signal: byExec.signal, fanOutMs: exec.fanOutMs },
    },
    release() {
      byExec.release();
      usual.release();
    },
  };
}

/** In the middle of a call: an API server that has gone silent holds back what is known already for this long only. */
async function secondLook({ roster, limits }: FleetOptions, crew: Crew, caller: AbortSignal): Promise<Now> {
  const { signal, release } = tieFor(limits.secondLookMs, caller);
  try {
    const { members, withoutAgent } = await untilAborted(roster(signal), signal);
    return { nodes: crew.follow(members), withoutAgent };
  } finally {
    release();
  }
}

/** After the deadline: whoever makes the roster hears of it as we do, and can say who it was that kept us waiting. */
const graceMs = 250;

/** The cluster's API server, a credential plugin, a proxy: none of them may hold an answer back for ever. */
async function inTime<T>(
  work: Promise<T>,
  either: AbortSignal,
  caller: AbortSignal,
  fanOutMs: number,
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
    throw new Fault(`the cluster's API server gave no list of nodes and pods within ${fanOutMs} ms`, {
      code: 'CLUSTER_UNREACHABLE',
      cause: thrown,
    });
  }
}
