import { containerdSocket } from './containerd.ts';

/** A kubelet's configuration file: what a test waits for happens within a second or two. */
export function kubeletConfig(of: { address: string; caPath: string; cgroup: string }): object {
  return {
    apiVersion: 'kubelet.config.k8s.io/v1beta1',
    kind: 'KubeletConfiguration',
    address: of.address,
    authentication: {
      anonymous: { enabled: false },
      webhook: { enabled: true },
      x509: { clientCAFile: of.caPath },
    },
    authorization: { mode: 'Webhook' },
    containerRuntimeEndpoint: `unix://${containerdSocket}`,
    cgroupDriver: 'cgroupfs',
    cgroupRoot: of.cgroup,
    failCgroupV1: false,
    failSwapOn: false,
    enforceNodeAllocatable: [], // several nodes share this machine
    evictionHard: { 'memory.available': '1Mi', 'nodefs.available': '0%', 'imagefs.available': '0%' },
    imageGCHighThresholdPercent: 100, // an image that was collected could not be pulled again
    imageGCLowThresholdPercent: 99,
    resolvConf: '',
    clusterDNS: ['10.96.0.10'], // nobody answers; without one each pod has a warning
    clusterDomain: 'cluster.local',
    makeIPTablesUtilChains: false,
    volumePluginDir: '/var/lib/kubelet/volume-plugins',
    nodeStatusUpdateFrequency: '1s',
    syncFrequency: '2s', // also how soon a changed secret is in its volume
    shutdownGracePeriod: '0s',
    registryPullQPS: 0,
    eventRecordQPS: 0,
  };
}
