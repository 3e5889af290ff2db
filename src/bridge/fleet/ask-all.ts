import { setTimeout as sleep } from 'node:timers/promises';

import type { z } from 'zod';

import { Fault, type FaultCode } from '../../core/fault.ts';
import type { Log } from '../../core/log.ts';
import { byName } from '../../core/names.ts';
import type { Answer, Tool } from '../../tools/tool.ts';
import { type FailedNode, failedNode } from './envelope.ts';
import type { Question } from './fleet.ts';
import type { FleetNode, NodeAnswer } from './node.ts';

/** Ends with its time, or when the caller leaves. */
interface Wait {
  readonly signal: AbortSignal;
  readonly fanOutMs: number;
}

export interface Circumstances {
  /** Of the whole call, and of nodes asked by exec, which may be less. */
  readonly waits: { readonly usual: Wait; readonly byExec: Wait };
  /** Who is in the fleet by now. */
  readonly lookAgain: () => Promise<readonly FleetNode[]>;
  readonly log: Log;
}

type Output<T extends Tool> = z.output<T['output']>;

/** Asks these nodes at once. One that failed in the last call is not waited for, unless it is named or all have failed. */
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
  await Promise.all(
    nodes.map(async (node) => {
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
): Promise<NodeAnswer<Output<T>>> {
  const { tool, args, requestId } = question;
  const { waits, lookAgain } = circumstances;
  const wait = node.byExec ? waits.byExec : waits.usual;
  const { ready } = node;
  try {
    return await node.ask(tool, args, requestId, wait.signal);
  } catch (thrown) {
    const other = await successor({ node, ready }, thrown, { wait, lookAgain });
    if (!other) throw faultOf(thrown, wait);
    return askWhoStands(other, question, circumstances);
  }
}

/** Another agent, or the same if it was not ready when it was asked, and is by now. */
async function successor(
  { node, ready }: { readonly node: FleetNode; readonly ready: boolean | undefined },
  thrown: unknown,
  { wait: { signal }, lookAgain }: { readonly wait: Wait; readonly lookAgain: Circumstances['lookAgain'] },
): Promise<FleetNode | undefined> {
  if (signal.aborted || !perhapsReplaced.has(Fault.from(thrown).code)) return undefined;
  const now = await lookAgain().catch(() => []); // that the cluster cannot be asked is not this node's failure
  const stands = now.find(({ name }) => name === node.name);
  const isSame = stands === node && !(ready === false && node.ready);
  return isSame || signal.aborted ? undefined : stands;
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

function faultOf(thrown: unknown, { signal, fanOutMs }: Wait): Fault {
  if (thrown instanceof Fault || !signal.aborted) return Fault.from(thrown);
  return new Fault(`not reached within the ${fanOutMs} ms of the whole call`, { code: 'NODE_TIMEOUT' });
}

function rounded(times: object): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(times).map(([name, ms]) => [name, typeof ms === 'number' ? Math.round(ms) : ms]),
  );
}
