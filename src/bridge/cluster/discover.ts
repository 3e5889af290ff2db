import { Fault } from '../../core/fault.ts';
import { groupBy } from '../../core/group-by.ts';
import { byName } from '../../core/names.ts';
import { type Circumstances, whyNoPod, whyNotAsked, whyNowhere } from './absence.ts';
import { refuseAmbiguity } from './ambiguity.ts';
import type { DaemonSet } from './daemon-set.ts';
import type { Node } from './gpu-node.ts';
import { agentLabel, fullName } from './metadata.ts';
import { isPaused } from './pause.ts';
import type { Pod } from './pod.ts';
import { listed } from './text.ts';
import type { Agent, View } from './view.ts';
import type { Warning } from './warning.ts';

/** What the API server says; null for what the user may not list. */
export interface Known {
  /** Pods with our label and the selector. */
  readonly pods: readonly Pod[];
  /** DaemonSets with our label. */
  readonly daemonSets: readonly DaemonSet[] | null;
  readonly nodes: readonly Node[] | null;
  readonly warnings: readonly Warning[];
  /** Where pods were looked for; null is all namespaces. */
  readonly namespace: string | null;
  readonly selector: string | null;
}

/**
 * Which agent answers for which node, and which GPU nodes have none.
 *
 * @throws Fault AGENTS_AMBIGUOUS, NO_AGENTS
 */
export function discover(known: Known): View {
  const { ours, strangers } = sortOut(known.pods, known.daemonSets);
  refuseAmbiguity(ours, known);

  const nodesByName = new Map(known.nodes?.map((node) => [node.name, node]));
  const podsByNode = groupByNode(ours, known.nodes && nodesByName);
  const agents = [...podsByNode].flatMap(([node, pods]) => agentOf(node, pods) ?? []);

  const answering = new Set(agents.map(({ node }) => node));
  const daemonSets = candidates(known, ours);
  const gpuNodes = known.nodes?.filter((node) => node.hasGpus || isPaused(node, daemonSets ?? [])) ?? [];
  const all = new Set([...gpuNodes.map(({ name }) => name), ...podsByNode.keys()]);
  const silent = [...all].filter((node) => !answering.has(node)).sort(byName);
  if (all.size === 0) throw nothingFound(known, strangers);

  const circumstances: Circumstances = { ...known, nodes: known.nodes ?? [], daemonSets };
  const why = (name: string): string => {
    const pods = podsByNode.get(name) ?? [];
    const pod = pods.find(({ trouble }) => trouble === null) ?? pods[0];
    const node = nodesByName.get(name);
    if (pod) return whyNotAsked(pod, node, circumstances);
    return node ? whyNoPod(node, circumstances) : 'no agent pod on this node';
  };
  return {
    agents: agents.sort((a, b) => byName(a.node, b.node)),
    withoutAgent: silent.map((node) => ({ node, why: why(node) })),
    nodesTotal: known.nodes && all.size,
    notes: notesOn(known, strangers),
  };
}

/** A pod is ours if a DaemonSet that carries our label controls it; that a pod carries the label proves nothing. */
function sortOut(
  pods: readonly Pod[],
  daemonSets: readonly DaemonSet[] | null,
): { ours: readonly Pod[]; strangers: readonly Pod[] } {
  const owners = daemonSets && new Set(daemonSets.map(({ uid, namespace }) => `${namespace}/${uid}`));
  const isOurs = ({ daemonSet, namespace }: Pod) =>
    daemonSet !== null && (owners === null || owners.has(`${namespace}/${daemonSet.uid}`));
  return { ours: pods.filter(isOurs), strangers: pods.filter((pod) => !isOurs(pod)) };
}

/** Newest pod first. A pod that does not run on a node that is gone is only waiting to be collected. */
function groupByNode(
  pods: readonly Pod[],
  nodes: ReadonlyMap<string, Node> | null,
): ReadonlyMap<string, readonly Pod[]> {
  const placed = pods.filter(
    ({ node, trouble }) => node !== null && (trouble === null || nodes?.has(node) !== false),
  );
  return groupBy([...placed].sort(newestFirst), ({ node }) => node ?? '');
}

function newestFirst(a: Pod, b: Pod): number {
  if (a.terminating !== b.terminating) return a.terminating ? 1 : -1;
  if (a.createdAt !== b.createdAt) return a.createdAt < b.createdAt ? 1 : -1;
  return byName(a.name, b.name);
}

/** During a rollout the pod that is ready answers until the newer one is; its label says how it is asked. */
function agentOf(node: string, pods: readonly Pod[]): Agent | undefined {
  const running = pods.filter(({ trouble }) => trouble === null);
  const chosen = running.find(({ ready }) => ready) ?? running[0];
  if (!chosen) return undefined;
  const { namespace, name: pod, uid, restarts, ready, port, podIp, mode } = chosen;
  const { exposed, tlsServerName, plaintext } = chosen;
  const life = `${uid} ${restarts}`;
  return { node, namespace, pod, life, ready, port, podIp, mode, exposed, tlsServerName, plaintext };
}

/**
 * The DaemonSets that a node without a pod can be blamed on: of the namespace that the agents are in, and with a
 * selector only those whose pods it chose, since it selects pods and not DaemonSets.
 */
function candidates({ daemonSets, selector }: Known, ours: readonly Pod[]): readonly DaemonSet[] | null {
  const [first] = ours;
  if (!daemonSets || !first) return daemonSets;
  const owners = new Set(ours.map(({ daemonSet }) => daemonSet?.uid));
  return daemonSets.filter(({ uid, namespace }) =>
    selector === null ? namespace === first.namespace : owners.has(uid),
  );
}

function notesOn({ daemonSets, nodes }: Known, strangers: readonly Pod[]): readonly string[] {
  const notes: string[] = [];
  if (nodes === null)
    notes.push('Nodes may not be listed, so it is unknown whether there are GPU nodes without an agent.');
  if (daemonSets === null)
    notes.push(
      'DaemonSets may not be listed, so a pod that names a DaemonSet as its owner is believed to be an agent.',
    );
  const namesOf = (pods: readonly Pod[]) => listed(pods.map(fullName).sort(byName));
  const leaving = strangers.filter(isLeftBehind);
  const staying = strangers.filter((pod) => !isLeftBehind(pod));
  if (staying.length > 0)
    notes.push(
      `Not asked, because no DaemonSet with the label ${agentLabel} controls them: pods ${namesOf(staying)}.`,
    );
  if (leaving.length > 0)
    notes.push(
      `Terminating, and their DaemonSet is gone, as when the agents are uninstalled: pods ${namesOf(leaving)}.`,
    );
  return notes;
}

/** An uninstall removes the DaemonSet first; its pods take a while to end. */
function isLeftBehind({ terminating, daemonSet }: Pod): boolean {
  return terminating && daemonSet !== null;
}

function nothingFound(known: Known, strangers: readonly Pod[]): Fault {
  const { namespace, selector, nodes, daemonSets } = known;
  const labels = selector ? `${agentLabel},${selector}` : agentLabel;
  const where = namespace === null ? 'all namespaces' : `namespace ${namespace}`;
  const among =
    nodes === null ? 'nodes may not be listed' : `none of the ${nodes.length} nodes of the cluster has GPUs`;
  const leftBehind = strangers.every(isLeftBehind)
    ? ' any more: they are terminating, as when the agents are uninstalled'
    : '';
  const but =
    strangers.length > 0
      ? `; ${strangers.length} pods carry the label, but no DaemonSet that does controls them${leftBehind}`
      : '';
  const idle = (daemonSets ?? []).flatMap((daemonSet) => whyNowhere(daemonSet, known) ?? []);
  const why = idle.length > 0 ? `. ${idle.slice(0, 2).join('; ')}` : '';
  return new Fault(`no agent pods with the label ${labels} in ${where}${but}, and ${among}${why}`, {
    code: 'NO_AGENTS',
  });
}
