import { plainText } from '../../core/words.ts';
import type { DaemonSet } from './daemon-set.ts';
import type { Node } from './gpu-node.ts';
import { agentLabel, fullName } from './metadata.ts';
import { matchesSelector, repellingTaint } from './placement.ts';
import type { Pod } from './pod.ts';
import { latestWarning, type Warning } from './warning.ts';

/** Why a node's agent pod cannot be asked. */
export function whyNotAsked(pod: Pod, warnings: readonly Warning[]): string {
  const { what, explained } = pod.trouble ?? { what: 'cannot be asked', explained: true };
  const warning = explained ? null : latestWarning(warnings, 'Pod', pod);
  return `pod ${fullName(pod)} ${what}${warning ? `; ${warning}` : ''}`;
}

export interface Circumstances {
  /** That could have put a pod there; null where they may not be listed. */
  readonly daemonSets: readonly DaemonSet[] | null;
  readonly gpuNodes: readonly Node[];
  readonly warnings: readonly Warning[];
  /** Where was looked; null is all namespaces. */
  readonly namespace: string | null;
}

/** Why a GPU node has no pod of the agent at all, in words a person can act on. */
export function whyNoPod(node: Node, circumstances: Circumstances): string {
  const { daemonSets, warnings, namespace } = circumstances;
  if (daemonSets === null) return 'no agent pod on this node';
  if (daemonSets.length === 0)
    return (
      `no DaemonSet with the label ${agentLabel} in ${namespace === null ? 'any namespace' : `namespace ${namespace}`}; ` +
      'README, Agents in a cluster, says what to run'
    );

  const refusals = daemonSets.map((daemonSet) => refusal(daemonSet, node, circumstances));
  const willing = daemonSets.filter((_, index) => refusals[index] === null);
  if (willing.length === 0) return refusals.slice(0, 2).join('; ');
  return willing
    .slice(0, 2)
    .map((daemonSet) => shortfall(daemonSet, warnings))
    .join('; ');
}

function shortfall(daemonSet: DaemonSet, warnings: readonly Warning[]): string {
  const warning = latestWarning(warnings, 'DaemonSet', daemonSet);
  const { desired, current } = daemonSet;
  return `DaemonSet ${fullName(daemonSet)} wants ${desired}, has ${current}${warning ? `: ${warning}` : ''}`;
}

/** Why the DaemonSet does not want this node; null if it does. */
function refusal(daemonSet: DaemonSet, node: Node, { gpuNodes }: Circumstances): string | null {
  const name = `DaemonSet ${fullName(daemonSet)}`;
  if (!matchesSelector(daemonSet, node)) {
    const selector = `node selector of ${name}${selectorText(daemonSet)}`;
    const matching = gpuNodes.filter((other) => matchesSelector(daemonSet, other)).length;
    return matching === 0
      ? `0 of ${gpuNodes.length} GPU nodes matched the ${selector}`
      : `this node does not match the ${selector}`;
  }
  const taint = repellingTaint(daemonSet.tolerations, node.taints);
  return taint && `${name} does not tolerate the taint ${plainText(taint)} of this node`;
}

function selectorText({ nodeSelector, terms }: DaemonSet): string {
  const labels = Object.entries(nodeSelector).map(([key, value]) => `${key}=${value}`);
  if (terms !== null) labels.push('its node affinity');
  return labels.length > 0 ? ` (${plainText(labels.join(', '))})` : '';
}
