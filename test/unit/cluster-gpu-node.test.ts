import { describe, expect, test } from 'vitest';
import { readNode } from '../../src/bridge/cluster/gpu-node.ts';
import { gpuNode } from '../support/kube-api/objects.ts';

describe('what a GPU node is', () => {
  test.for<[string, Record<string, string>]>([
    ['NFD with class', { 'feature.node.kubernetes.io/pci-0302_10de.present': 'true' }],
    ['NFD without class', { 'feature.node.kubernetes.io/pci-10de.present': 'true' }],
    ['NFD with device', { 'feature.node.kubernetes.io/pci-0302_10de_20b0.present': 'true' }],
    ['GFD', { 'nvidia.com/gpu.present': 'true' }],
    ['GFD product', { 'nvidia.com/gpu.product': 'NVIDIA-H100-80GB-HBM3' }],
    ['GKE', { 'cloud.google.com/gke-accelerator': 'nvidia-l4' }],
    ['AKS', { 'kubernetes.azure.com/accelerator': 'nvidia' }],
    ['AKS of old', { accelerator: 'nvidia' }],
    ['AKS auto provisioning', { 'karpenter.azure.com/sku-gpu-manufacturer': 'nvidia' }],
    ['Karpenter', { 'karpenter.k8s.aws/instance-gpu-manufacturer': 'nvidia' }],
    ['EKS Auto Mode', { 'eks.amazonaws.com/instance-gpu-manufacturer': 'nvidia' }],
    ['EKS', { 'k8s.amazonaws.com/accelerator': 'nvidia-tesla-t4' }],
  ])('%s labels', ([, labels]) => {
    expect(readNode(gpuNode('n', { labels, capacity: {} })).hasGpus).toBe(true);
  });

  test.for<[string, Record<string, string>]>([
    ['another vendor', { 'feature.node.kubernetes.io/pci-0300_1002.present': 'true' }],
    ['an AMD node', { 'karpenter.k8s.aws/instance-gpu-manufacturer': 'amd', accelerator: 'amd' }],
    ['GFD saying no', { 'nvidia.com/gpu.present': 'false' }],
  ])('not %s', ([, labels]) => {
    expect(readNode(gpuNode('n', { labels, capacity: { cpu: '8' } })).hasGpus).toBe(false);
  });

  test('a node whose device plugin counts 0 GPUs still is one', () => {
    expect(readNode(gpuNode('n', { capacity: { 'nvidia.com/gpu': '0' } })).hasGpus).toBe(true);
    expect(readNode(gpuNode('n', { capacity: { 'nvidia.com/mig-1g.10gb': '7' } })).hasGpus).toBe(true);
  });
});
