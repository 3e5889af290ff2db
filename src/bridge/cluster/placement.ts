import type { Labels } from './metadata.ts';

/** A node as far as the question goes whether a pod may run there. */
export interface Place {
  readonly name: string;
  readonly labels: Labels;
}

export interface Taint {
  readonly key?: string;
  readonly value?: string;
  readonly effect?: string;
}

export interface Toleration extends Taint {
  readonly operator?: string;
}

export interface NodeAffinity {
  readonly requiredDuringSchedulingIgnoredDuringExecution?: { readonly nodeSelectorTerms?: readonly Term[] };
}

export interface Term {
  readonly matchExpressions?: readonly Requirement[];
  readonly matchFields?: readonly Requirement[];
}

interface Requirement {
  readonly key?: string;
  readonly operator?: string;
  readonly values?: readonly string[];
}

/** True if the node is one that the pod's node selector and required node affinity allow. */
export function matchesSelector(
  { nodeSelector, terms }: { nodeSelector: Labels; terms: readonly Term[] | null },
  node: Place,
): boolean {
  const chosen = Object.entries(nodeSelector).every(([key, value]) => node.labels[key] === value);
  return chosen && (terms === null || terms.some((term) => matchesTerm(term, node)));
}

/** Requirements are ANDed; a term without any matches nothing. Source: k8s.io/component-helpers nodeaffinity. */
export function matchesTerm({ matchExpressions = [], matchFields = [] }: Term, node: Place): boolean {
  if (matchExpressions.length + matchFields.length === 0) return false;
  return (
    matchExpressions.every((requirement) => meets(requirement, node.labels)) &&
    matchFields.every((requirement) => meets(requirement, { 'metadata.name': node.name }))
  );
}

function meets({ key = '', operator, values = [] }: Requirement, labels: Labels): boolean {
  const value = labels[key];
  switch (operator) {
    case 'In':
      return value !== undefined && values.includes(value);
    case 'NotIn':
      return value === undefined || !values.includes(value);
    case 'Exists':
      return value !== undefined;
    case 'DoesNotExist':
      return value === undefined;
    case 'Gt':
      return Number(value) > Number(values[0]);
    case 'Lt':
      return Number(value) < Number(values[0]);
    default:
      return false;
  }
}

/** The first taint that keeps the pod away, as `kubectl taint` writes it; null if there is none. */
export function repellingTaint(tolerations: readonly Toleration[], taints: readonly Taint[]): string | null {
  const repelling = taints.find(
    (taint) =>
      (taint.effect === 'NoSchedule' || taint.effect === 'NoExecute') &&
      !everyDaemonTolerates(taint) &&
      !tolerations.some((toleration) => tolerates(toleration, taint)),
  );
  if (!repelling) return null;
  const { key = '', value, effect } = repelling;
  return `${key}${value ? `=${value}` : ''}:${effect}`;
}

/** The controller adds tolerations for node.kubernetes.io/not-ready, unreachable, …-pressure, unschedulable. */
function everyDaemonTolerates({ key }: Taint): boolean {
  return key?.startsWith('node.kubernetes.io/') ?? false;
}

function tolerates({ key, operator = 'Equal', value, effect }: Toleration, taint: Taint): boolean {
  if (effect && effect !== taint.effect) return false;
  if (!key) return operator === 'Exists';
  return key === taint.key && (operator === 'Exists' || (value ?? '') === (taint.value ?? ''));
}
