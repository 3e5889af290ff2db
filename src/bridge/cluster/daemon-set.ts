import { type Identity, identify, type Labels, type RawMetadata } from './metadata.ts';
import type { NodeAffinity, Term, Toleration } from './placement.ts';

/** A DaemonSet that carries our label. */
export interface DaemonSet extends Identity {
  readonly nodeSelector: Labels;
  /** Alternatives of the required node affinity; null if it has none. */
  readonly terms: readonly Term[] | null;
  readonly tolerations: readonly Toleration[];
  readonly serviceAccount: string;
  /** How many nodes should run a pod of it, by its own count. */
  readonly desired: number;
  /** How many of these have one. */
  readonly current: number;
}

/** A DaemonSet as the API server sends it, as far as we look. */
export interface RawDaemonSet {
  readonly metadata?: RawMetadata;
  readonly spec?: {
    readonly template?: {
      readonly spec?: {
        readonly nodeSelector?: Labels;
        readonly affinity?: { readonly nodeAffinity?: NodeAffinity };
        readonly tolerations?: readonly Toleration[];
        readonly serviceAccountName?: string;
      };
    };
  };
  readonly status?: { readonly desiredNumberScheduled?: number; readonly currentNumberScheduled?: number };
}

export function readDaemonSet({ metadata, spec, status }: RawDaemonSet): DaemonSet {
  const pod = spec?.template?.spec ?? {};
  const required = pod.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
  return {
    ...identify(metadata),
    nodeSelector: pod.nodeSelector ?? {},
    terms: required?.nodeSelectorTerms ?? null,
    tolerations: pod.tolerations ?? [],
    serviceAccount: pod.serviceAccountName ?? 'default',
    desired: status?.desiredNumberScheduled ?? 0,
    current: status?.currentNumberScheduled ?? 0,
  };
}
