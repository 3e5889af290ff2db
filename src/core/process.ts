import type { Reading } from './reading.ts';

/** The lists of the driver in which a process can be. */
export type ProcessKind = 'compute' | 'graphics' | 'mps';

/** A process as the driver tells of it, on one GPU. */
export interface DriverProcess {
  /** In the PID namespace of the agent. */
  readonly pid: number;
  readonly kinds: readonly ProcessKind[];
  /** Of this GPU; noPermission or notSupported where the driver does not say. Source: nvmlDeviceGetComputeRunningProcesses_v3 and its like. Oracle: nvidia-smi --query-compute-apps=pid,used_memory */
  readonly usedBytes: Reading<number>;
  /** Null without MIG. */
  readonly gpuInstanceId: number | null;
  readonly computeInstanceId: number | null;
  /** Missing where the driver has no sample of it: idle, or under MIG. Source: nvmlDeviceGetProcessUtilization. Oracle: nvidia-smi pmon */
  readonly utilization: Reading<ProcessUtilization>;
}

/** Shares of the whole GPU in the newest sample that is not older than the read before, or than a moment. */
export interface ProcessUtilization {
  readonly smPercent: number;
  readonly memoryPercent: number;
  readonly encoderPercent: number;
  readonly decoderPercent: number;
  /** Unix time in ms at which the driver took the sample. */
  readonly atMs: number;
}

/** What the node's kernel says of a process: no arguments and no environment, which hold secrets. */
export interface ProcessOnNode {
  /** The name of the program, 15 bytes at most. Source: /proc/PID/comm. Oracle: ps -o comm= */
  readonly comm: Reading<string>;
  /** R, S, D, Z, T …, and Zl where its first thread has ended and others run. Source: /proc/PID/stat, fields 3 and 20. Oracle: ps -o stat= */
  readonly state: Reading<string>;
  /** Unix time in ms, by the clock of now. Source: /proc/PID/stat, field 22, and the time since boot. Oracle: ps -o lstart= */
  readonly startedAtMs: Reading<number>;
  /** Since boot, in 1/100 s: with the pid it says which process that is, whatever the clock is set to. Null where it is not told. Source: /proc/PID/stat, field 22 */
  readonly startTick: number | null;
  /** Null for a process of no container. Source: /proc/PID/cgroup. Oracle: crictl ps --no-trunc -o json */
  readonly container: Reading<ContainerOfProcess | null>;
}

export interface ContainerOfProcess {
  /** 64 hexadecimal digits. Oracle: crictl ps --no-trunc -o json */
  readonly containerId: string;
  /** As the cgroup's name tells; null where it does not. */
  readonly runtime: 'containerd' | 'cri-o' | 'docker' | null;
  /** Null for a container outside of Kubernetes. Oracle: kubectl get pod -o jsonpath={.metadata.uid} */
  readonly podUid: string | null;
}

/** The container that was given a device, as the kubelet says. Oracle: kubectl describe pod, "Limits" */
export interface DeviceHolder {
  readonly namespace: string;
  readonly pod: string;
  readonly container: string;
  /** Under MIG, what of a GPU it was given; none: the whole. */
  readonly part?: GivenPart;
}

/** A MIG device. */
export interface GivenPart {
  /** Its UUID, or its name in a claim, which does not tell the instances. */
  readonly device: string | null;
  readonly gpuInstanceId: number | null;
  readonly computeInstanceId: number | null;
}

/** A process on one GPU, with all that is known of whose it is. */
export interface GpuProcess extends DriverProcess {
  readonly onNode: ProcessOnNode;
  /** The containers that were given this GPU, or the part of it that the process uses: with one, it is the process's own. */
  readonly holders: readonly DeviceHolder[];
  /** The driver no longer lists it, and it is still there: it is about to end, cannot end, or has ended and is not collected. */
  readonly left: boolean;
  /** For how long every look has found one of its threads in state D, and not run in between; null where the last look found none. */
  readonly waitingMs: number | null;
}

export interface GpuProcesses {
  /** Of the GPU. */
  readonly index: number;
  /** Monotonic; null while nobody has asked. */
  readonly readAtMs: number | null;
  /** Oracle: nvidia-smi --query-compute-apps=gpu_uuid,pid, nvidia-smi pmon */
  readonly processes: Reading<readonly GpuProcess[]>;
  /** Where the driver does not list any now: those that it listed before and that have not ended, or are not collected. */
  readonly stuck: readonly GpuProcess[];
  /** Every container that was given this GPU or a part of it, used or not. */
  readonly holders: readonly DeviceHolder[];
  /** Whether the kubelet can give it, or a part of it, to pods; null where it does not tell, as of GPUs that are claimed. Oracle: kubectl describe node, "Allocatable" */
  readonly offered: boolean | null;
}

/** What runs on the GPUs of a node. */
export interface NodeProcesses {
  readonly gpus: readonly GpuProcesses[];
  /** Whether the kubelet tells who was given which GPU, and why not. */
  readonly podResources: {
    readonly readable: boolean;
    readonly reason: string | null;
    /** How long ago it was asked for what the holders were told by; null while it tells nothing, or nobody has asked. */
    readonly ageMs?: number | null;
  };
}
