import { setTimeout as sleep } from 'node:timers/promises';

import type { z } from 'zod';

import { Fault, type FaultCode } from '../../core/fault.ts';
import type { Log } from '../../core/log.ts';
import { byName } from '../../core/names.ts';
import type { Answer, Tool } from '../../tools/tool.ts';
import { type FailedNode, failedNode } from './envelope.ts';
import type { Question } from './fleet.ts';
import type { FleetNode, NodeAnswer } from './node.ts';
import { untilAborted } from './tie.ts';

/** Ends with its time, or when the caller leaves. */
interface Wait {
  readonly signal: AbortSignal;
  readonly fanOutMs: number;
}

export interface Now {
  readonly nodes: readonly FleetNode[];
  readonly withoutAgent: readonly { readonly node: string; readonly why: string }[];
}

export interface Circumstances {
  /** By the road: to start a program takes longer than to ask one that runs. */
  readonly waits: { readonly usual: Wait; readonly byExec: Wait };
  /** Who is in the fleet by now. Ends in time by itself. */
  readonly lookAgain: () => Promise<Now>;
  readonly log: Log;
}

type Output<T extends Tool> = z.output<T['output']>;

/**
 * Asks these nodes at once; where not all can be, those that were heard of least recently begin. One that failed in the last call is not
 * waited for, unless it is named or all have failed.
 */
export async function askAll<T extends Tool>(
  nodes: readonly FleetNode[],
  question: Question<T>,
  circumstances: Circumstances,
): Promise<{ answers: Answer<Output<T>>[]; failed: FailedNode[] }> {
  const answers: Answer<Output<T>>[] = [];
  const failed: FailedNode[] = [];
  const { requestId, signal, onProgress } = question;
  const { log } = circumstances;
  const lookAgain = together(circumstances.lookAgain);
  // Who names a node waits for it; and when none answered last time, waiting is all that is left to do.
  const waitForAll = question.nodes !== undefined || nodes.every((node) => node.failure);
  const inTurn = [...nodes].sort((a, b) => a.heardAtMs - b.heardAtMs);
  await Promise.all(
    inTurn.map(async (node) => {
      const known = waitForAll ? undefined : node.failure;
      if (known) {
        node.passedOver();
        failed.push(failedNode(node.name, known.fault, known.triedAt));
      } else
        try {
          const { value, times } = await askWhoStands(node, question, { ...circumstances, lookAgain });
          answers.push({ node: node.name, value });
          log.debug('answer', { node: node.name, requestId, ...rounded(times) });
        } catch (thrown) {
          signal.throwIfAborted();
          const triedAt = node.failure?.triedAt ?? new Date();
          failed.push(failedNode(node.name, Fault.from(thrown), triedAt));
        }
      onProgress(answers.length + failed.length, nodes.length);
    }),
  );
  const inOrder = <Row extends { node: string }>(rows: Row[]) => rows.sort((a, b) => byName(a.node, b.node));
  return { answers: inOrder(answers), failed: inOrder(failed) };
}

/** What an agent looks like whose pod has gone, or is not up yet. */
const perhapsReplaced: ReadonlySet<FaultCode> = new Set([
  'NODE_TIMEOUT',
  'NODE_UNREACHABLE',
  'NODE_BAD_ANSWER',
  'AGENT_STARTING',
]);

/** Asks the node's agent; where it fails and another stands for the node by then, as during a rollout, that one. */
async function askWhoStands<T extends Tool>(
  node: FleetNode,
  question: Question<T>,
  circumstances: Circumstances,
  before?: Wait,
): Promise<NodeAnswer<Output<T>>> {
  const { tool, args, requestId } = question;
  const { waits, lookAgain } = circumstances;
  const wait = waitOf(node, waits, before);
  const { ready } = node;
  let hadTurn = false;
  const onTurn = () => {
    hadTurn = true;
  };
  try {
    return await node.ask(tool, args, requestId, { signal: wait.signal, onTurn });
  } catch (thrown) {
    const fault = thrown instanceof Fault || !wait.signal.aborted ? Fault.from(thrown) : late(wait, hadTurn);
    const { other, why } = await standsNow({ node, ready }, fault, { wait, lookAgain });
    if (other && !waitOf(other, waits, wait).signal.aborted)
      return askWhoStands(other, question, circumstances, wait);
    throw why === undefined ? fault : ended(fault, why);
  }
}

/** By the road to it; who is asked by exec and turns out to listen meanwhile loses none of the time that there was. */
function waitOf({ byExec }: FleetNode, waits: Circumstances['waits'], before: Wait | undefined): Wait {
  if (byExec) return waits.byExec;
  return before && before.fanOutMs > waits.usual.fanOutMs ? before : waits.usual;
}

/** Who is to be asked instead: another agent, or the same if it was not ready when it was asked, and is by now. */
async function standsNow(
  { node, ready }: { readonly node: FleetNode; readonly ready: boolean | undefined },
  { code }: Fault,
  { wait: { signal }, lookAgain }: { readonly wait: Wait; readonly lookAgain: Circumstances['lookAgain'] },
): Promise<{ readonly other?: FleetNode | undefined; readonly why?: string | undefined }> {
  if (signal.aborted || !perhapsReplaced.has(code)) return {};
  const now = await untilAborted(lookAgain(), signal).catch(() => undefined); // that is not this node's failure
  const stands = now?.nodes.find(({ name }) => name === node.name);
  const isSame = stands === node && !(ready === false && node.ready);
  if (stands) return { other: isSame ? undefined : stands };
  return { why: now?.withoutAgent.find((each) => each.node === node.name)?.why };
}

function ended({ code, message }: Fault, why: string): Fault {
  return new Fault(`${why}; when it was asked: ${message}`, { code });
}

function late({ fanOutMs }: Wait, hadTurn: boolean): Fault {
  const within = `within the ${fanOutMs} ms of the whole call`;
  const what = hadTurn
    ? `no answer ${within}`
    : `not asked, as its turn did not come ${within}; the next call begins with such nodes`;
  return new Fault(what, { code: 'NODE_TIMEOUT' });
}

/** A short while in which the news of a pod's end may arrive, and nodes that fail together share one look. */
const lookAfterMs = 50;

function together<T>(look: () => Promise<T>): () => Promise<T> {
  let next: Promise<T> | undefined;
  return () => {
    next ??= sleep(lookAfterMs).then(() => {
      next = undefined;
      return look();
    });
    return next;
  };
}

function rounded(times: object): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(times).map(([name, ms]) => [name, typeof ms === 'number' ? Math.round(ms) : ms]),
  );
}
