import { type Identity, identify, type Labels, type RawMetadata } from './metadata.ts';
import type { Taint } from './placement.ts';

/** A node of the cluster. */
export interface Node extends Identity {
  readonly taints: readonly Taint[];
  readonly hasGpus: boolean;
}

/** A node as the API server sends it, as far as we look. */
export interface RawNode {
  readonly metadata?: RawMetadata;
  readonly spec?: { readonly taints?: readonly Taint[] };
  readonly status?: { readonly capacity?: Readonly<Record<string, string>> };
}

export function readNode({ metadata, spec, status }: RawNode): Node {
  const identity = identify(metadata);
  return {
    ...identity,
    taints: spec?.taints ?? [],
    hasGpus: offersGpus(status?.capacity ?? {}) || isLabelledAsGpuNode(identity.labels),
  };
}

/** Also when the count is 0: then the device plugin has lost them, which is just what one wants to hear of. */
function offersGpus(capacity: Readonly<Record<string, string>>): boolean {
  return Object.keys(capacity).some((resource) => resource.startsWith('nvidia.com/'));
}

/** Who says that a node has NVIDIA GPUs, and by which label. `any` stands for every value. */
const gpuLabels: readonly { readonly label: string | RegExp; readonly value: string | RegExp | 'any' }[] = [
  // Node Feature Discovery: PCI vendor 10de is NVIDIA, with or without class and device in the name.
  { label: /^feature\.node\.kubernetes\.io\/pci-(\w+_)?10de(_\w+)?\.present$/, value: 'true' },
  // GPU Feature Discovery
  { label: 'nvidia.com/gpu.present', value: 'true' },
  { label: 'nvidia.com/gpu.product', value: 'any' },
  // GKE
  { label: 'cloud.google.com/gke-accelerator', value: 'any' },
  // AKS, and its node auto provisioning
  { label: 'kubernetes.azure.com/accelerator', value: 'nvidia' },
  { label: 'accelerator', value: 'nvidia' },
  { label: 'karpenter.azure.com/sku-gpu-manufacturer', value: 'nvidia' },
  // EKS: Karpenter, Auto Mode, cluster autoscaler
  { label: 'karpenter.k8s.aws/instance-gpu-manufacturer', value: 'nvidia' },
  { label: 'eks.amazonaws.com/instance-gpu-manufacturer', value: 'nvidia' },
  { label: 'k8s.amazonaws.com/accelerator', value: /^(nvidia|tesla)/i },
];

function isLabelledAsGpuNode(labels: Labels): boolean {
  return Object.entries(labels).some(([name, content]) =>
    gpuLabels.some(({ label, value }) => fits(label, name) && (value === 'any' || fits(value, content))),
  );
}

function fits(wanted: string | RegExp, text: string): boolean {
  return typeof wanted === 'string' ? wanted === text : wanted.test(text);
}
