import { plainText } from '../../core/words.ts';
import type { DaemonSet } from './daemon-set.ts';
import type { Node } from './gpu-node.ts';
import { agentLabel, fullName } from './metadata.ts';
import { isPaused, pausedWhy, unpaused } from './pause.ts';
import { matchesSelector, repellingTaint } from './placement.ts';
import type { Pod } from './pod.ts';
import { latestWarning, type Warning, warningText } from './warning.ts';
import { creationWayOut, runtimeWayOut } from './way-out.ts';

/** Why a node's agent pod cannot be asked. The node is undefined where nodes may not be listed. */
export function whyNotAsked(
  pod: Pod,
  node: Node | undefined,
  { daemonSets, warnings }: Pick<Circumstances, 'daemonSets' | 'warnings'>,
): string {
  if (pod.terminating && node && isPaused(node, daemonSets))
    return `pod ${fullName(pod)} is still terminating: its node is ${pausedWhy}`;
  const { what, explained } = pod.trouble ?? { what: 'cannot be asked', explained: true };
  const warning = explained ? null : latestWarning(warnings, pod);
  const why = warning ? `; ${warningText(warning)}${runtimeWayOut(warning)}` : '';
  return `pod ${fullName(pod)} ${what}${why}`;
}

export interface Circumstances {
  /** That could have put a pod there; null where they may not be listed. */
  readonly daemonSets: readonly DaemonSet[] | null;
  /** All of the cluster. */
  readonly nodes: readonly Node[];
  readonly warnings: readonly Warning[];
  /** Where was looked; null is all namespaces. */
  readonly namespace: string | null;
}

/** Why a GPU node has no pod of the agent at all, in words a person can act on. */
export function whyNoPod(node: Node, circumstances: Circumstances): string {
  const { daemonSets, warnings, namespace } = circumstances;
  if (isPaused(node, daemonSets)) return pausedWhy;
  if (daemonSets === null) return 'no agent pod on this node';
  if (daemonSets.length === 0)
    return (
      `no DaemonSet with the label ${agentLabel} in ${namespace === null ? 'any namespace' : `namespace ${namespace}`}; ` +
      'helm install the chart, as README says'
    );

  const refusals = daemonSets.map((daemonSet) => refusal(daemonSet, node, circumstances));
  const willing = daemonSets.filter((_, index) => refusals[index] === null);
  if (willing.length === 0) return refusals.slice(0, 2).join('; ');
  return willing
    .slice(0, 2)
    .map((daemonSet) => shortfall(daemonSet, warnings))
    .join('; ');
}

/** A DaemonSet that has put a pod nowhere, and why: it wants no node, or is kept from making one. Null if it has some. */
export function whyNowhere(
  daemonSet: DaemonSet,
  { nodes, warnings }: { readonly nodes: readonly Node[] | null; readonly warnings: readonly Warning[] },
): string | null {
  const { desired, current } = daemonSet;
  if (current > 0) return null;
  if (desired > 0 || nodes === null) return shortfall(daemonSet, warnings);
  const some = nodes.some((node) => matchesSelector(daemonSet, node));
  return some ? null : matchesNone(daemonSet, `0 of ${nodes.length} nodes match`);
}

function shortfall(daemonSet: DaemonSet, warnings: readonly Warning[]): string {
  const warning = latestWarning(warnings, daemonSet);
  const { desired, current } = daemonSet;
  const lacks = `DaemonSet ${fullName(daemonSet)} wants ${desired}, has ${current}`;
  if (warning === null) return lacks;
  const isRefused = warning.reason === 'FailedCreate' && desired > current; // events outlive what they tell of
  const wayOut = isRefused ? creationWayOut(warning, daemonSet) : '';
  return `${lacks}: ${warningText(warning)}${wayOut}`;
}

function matchesNone(daemonSet: DaemonSet, count: string): string {
  return (
    `${count} the node selector of DaemonSet ${fullName(daemonSet)}${selectorText(daemonSet)}: ` +
    'set the chart value nodeAffinity, or label the GPU nodes, such as nvidia.com/gpu.present=true'
  );
}

/** Why the DaemonSet does not want this node; null if it does. */
function refusal(daemonSet: DaemonSet, node: Node, { nodes }: Circumstances): string | null {
  const name = `DaemonSet ${fullName(daemonSet)}`;
  if (!matchesSelector(daemonSet, node)) {
    const gpuNodes = nodes.filter(({ hasGpus }) => hasGpus);
    const matching = nodes.filter((other) => matchesSelector(daemonSet, unpaused(other)));
    if (matching.length === 0) return matchesNone(daemonSet, `0 of ${nodes.length} nodes match`);
    if (!matching.some(({ hasGpus }) => hasGpus))
      return matchesNone(daemonSet, `0 of ${gpuNodes.length} GPU nodes match`);
    return `this node does not match the node selector of ${name}${selectorText(daemonSet)}${wayIn(daemonSet, node)}`;
  }
  const taint = repellingTaint(daemonSet.tolerations, node.taints);
  return taint && `${name} does not tolerate the taint ${plainText(taint)} of this node`;
}

/** The same words for every node, since these are told of together. Empty where neither would help. */
function wayIn(daemonSet: DaemonSet, node: Node): string {
  const { name, labels } = unpaused(node);
  const labelled = { name, labels: { ...labels, 'nvidia.com/gpu.present': 'true' } };
  const ways: string[] = [];
  if (matchesSelector(daemonSet, labelled))
    ways.push('label it, as by kubectl label node NAME nvidia.com/gpu.present=true');
  if (matchesSelector({ ...daemonSet, terms: null }, node)) ways.push("set the chart's nodeAffinity");
  return ways.length > 0 ? `: ${ways.join(', or ')}` : '';
}

function selectorText({ nodeSelector, terms }: DaemonSet): string {
  const labels = Object.entries(nodeSelector).map(([key, value]) => `${key}=${value}`);
  if (terms !== null) labels.push('its node affinity');
  return labels.length > 0 ? ` (${plainText(labels.join(', '))})` : '';
}
