import type { DaemonSet } from './daemon-set.ts';
import { pausedLabel } from './metadata.ts';
import { matchesSelector, type Place } from './placement.ts';

/** The same words for every node, since nodes without an agent are told of together. */
export const pausedWhy = `paused by its label ${pausedLabel}; back with kubectl label node NAME ${pausedLabel}-`;

/**
 * True if its label, and nothing else, keeps the agent off this node. Where DaemonSets may not be listed (null) the
 * label is believed.
 */
export function isPaused(node: Place, daemonSets: readonly DaemonSet[] | null): boolean {
  if (!(pausedLabel in node.labels)) return false;
  if (daemonSets === null) return true;
  const isWanted = (place: Place) => daemonSets.some((daemonSet) => matchesSelector(daemonSet, place));
  return !isWanted(node) && isWanted(unpaused(node));
}

/** The node as it is when its pause is over. */
export function unpaused(node: Place): Place {
  if (!(pausedLabel in node.labels)) return node;
  const { [pausedLabel]: _, ...labels } = node.labels;
  return { name: node.name, labels };
}
