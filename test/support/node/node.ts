import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { ApiServer } from '../cluster/api-server.ts';
import type { Running } from '../cluster/processes.ts';
import type { Workshop } from '../cluster/workshop.ts';
import { processesOf, workingSetBytes } from './cgroups.ts';
import { cniConfig, containerdConfig, containerdSocket } from './containerd.ts';
import { kubeletConfig } from './kubelet.ts';
import type { NodePrograms } from './programs.ts';
import { waitSync } from './wait-sync.ts';

export interface NodeSpec {
  readonly name: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly taints?: readonly { key: string; value?: string; effect: string }[];
  /** Paths of OCI runtimes (such as a wrapper of runc) by the handler that a RuntimeClass names. */
  readonly runtimes?: Readonly<Record<string, string>>;
  /** The handler of pods without a RuntimeClass; runc unless told. */
  readonly defaultRuntime?: string;
}

/** A kubelet and a containerd in namespaces of their own. */
export interface Node {
  readonly name: string;
  /** This machine reaches the node, and its pods, directly. */
  readonly address: string;
  /** Where `/var/lib/kubelet` of the node is on this machine: `pod-resources/kubelet.sock`, `device-plugins/kubelet.sock`. */
  readonly kubeletFolder: string;
  /** Runs a program of this machine as the node's root, such as `mknod` for a device. Resolves to what it printed. */
  run(command: string, ...args: string[]): Promise<string>;
  /** Runs a program of this machine as a service of the node, with which it ends; its log is in the cluster's folder. */
  start(name: string, command: string, ...args: string[]): Running;
  /** Of an archive, OCI or Docker. Resolves when the kubelet can use it. */
  importImage(archive: string): Promise<void>;
  /** Undefined where no such container runs. The identifier is that of the pod's status, with or without `containerd://`. */
  workingSetBytes(containerId: string): number | undefined;
  /** Of a container, as this machine numbers them. */
  processes(containerId: string): number[];
  /** As a crash: its pods run on. */
  stopKubelet(): Promise<void>;
  startKubelet(): Promise<void>;
}

/** What a node gets from its cluster. */
export interface NodePlace {
  readonly workshop: Workshop;
  readonly programs: NodePrograms;
  readonly address: string;
  readonly podRange: string;
  /** Exists. */
  readonly cgroup: string;
  /** Starting; it has the user `system:node:NAME`. */
  readonly server: Promise<ApiServer>;
  /** Plugs the network namespace of a process in. */
  readonly plug: (pid: number) => Promise<void>;
}

/** Resolves when containerd answers; the kubelet is not started yet. */
export async function bootNode(spec: NodeSpec, place: NodePlace): Promise<Node> {
  const { workshop, programs, address } = place;
  const folder = join(workshop.folder, spec.name);
  mkdirSync(folder);
  const pid = await boot(spec.name, folder, workshop);
  await place.plug(pid);

  const inside = ['--target', `${pid}`, '--pid', '--mount', '--net', '--'];
  const run = async (command: string, ...args: string[]) => {
    const { stdout } = await promisify(execFile)('nsenter', [...inside, command, ...args]);
    return stdout;
  };
  // nsenter forks, and only the child is the program: it dies with nsenter, and nsenter with us.
  const start = (name: string, command: string, ...args: string[]) =>
    workshop.run(`${spec.name}-${name}`, 'nsenter', [
      ...[...inside, 'setpriv', '--pdeathsig', 'KILL', '--', 'env'],
      ...[`LD_LIBRARY_PATH=${programs.libraries}`, command, ...args],
    ]);
  const ctr = (...args: string[]) =>
    run(
      programs.ctr,
      '--connect-timeout=1s',
      '--address',
      containerdSocket,
      '--namespace',
      'k8s.io',
      ...args,
    );

  start('containerd', programs.containerd, '--config', writeContainerd(folder, spec, place));
  await workshop.until(`containerd of ${spec.name}`, async () => Boolean(await ctr('version')));

  let kubelet: { end(): Promise<void> } | undefined;
  return {
    name: spec.name,
    address,
    kubeletFolder: join(folder, 'lib/kubelet'),
    run,
    start,
    importImage: (archive) => importImage(ctr, archive),
    workingSetBytes: (id) => workingSetBytes(place.cgroup, bare(id)),
    processes: (id) => processesOf(place.cgroup, bare(id)),
    async startKubelet() {
      kubelet = start('kubelet', programs.kubelet, ...writeKubelet(folder, spec, place, await place.server));
    },
    async stopKubelet() {
      await kubelet?.end();
    },
  };
}

const bare = (containerId: string) => containerId.replace(/^containerd:\/\//, '');

/** Resolves to the process, as this machine numbers it, in whose namespaces the node is. */
async function boot(name: string, folder: string, workshop: Workshop): Promise<number> {
  const script = join(import.meta.dirname, 'init.sh');
  const namespaces = ['--fork', '--kill-child', '--pid', '--mount', '--net', '--propagation', 'private'];
  const { pid } = workshop.run(name, 'unshare', [...namespaces, '--', 'bash', script, folder]);
  await workshop.until(`node ${name}`, async () => existsSync(join(folder, 'up')));
  const first = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
  workshop.beforehand(() => end(name, Number(first)));
  return Number(first);
}

function writeContainerd(folder: string, { runtimes, defaultRuntime }: NodeSpec, place: NodePlace): string {
  const { programs, podRange } = place;
  const cni = join(folder, 'cni');
  mkdirSync(cni);
  writeFileSync(join(cni, 'pods.conflist'), JSON.stringify(cniConfig(podRange)));
  const path = join(folder, 'containerd.toml');
  const config = containerdConfig({
    cni: { plugins: programs.cni, folder: cni },
    runtimes: { runc: programs.runc, ...runtimes },
    defaultRuntime: defaultRuntime ?? 'runc',
  });
  writeFileSync(path, config);
  return path;
}

function writeKubelet(
  folder: string,
  { name }: NodeSpec,
  { address, cgroup }: NodePlace,
  { url, credentials }: ApiServer,
): string[] {
  const { caPath } = credentials;
  const path = join(folder, 'kubelet.json');
  writeFileSync(path, JSON.stringify(kubeletConfig({ address, caPath, cgroup })));
  return [
    `--config=${path}`,
    `--kubeconfig=${credentials.kubeconfig(`system:node:${name}`, url)}`,
    `--hostname-override=${name}`,
    `--node-ip=${address}`,
  ];
}

/** containerd tells its half that speaks to kubelets by an event, and that half marks what it knows. */
async function importImage(ctr: (...args: string[]) => Promise<string>, archive: string): Promise<void> {
  await ctr('images', 'import', archive);
  for (let attempt = 0; attempt < 100; attempt++) {
    const lines = (await ctr('images', 'list')).trim().split('\n').slice(1);
    if (lines.every((line) => line.includes('io.cri-containerd.image=managed'))) return;
    await sleep(50);
  }
  throw new Error(`containerd does not offer the image of ${archive} to the kubelet`);
}

/**
 * Ends a node by its first process: the kernel kills all others in its PID namespace, and lets that one go when their
 * parents have taken note. Those of kubelet and containerd are the programs that brought them in, hence they come later.
 */
function end(name: string, pid: number): void {
  if (hasEnded(pid)) return;
  process.kill(pid, 'SIGKILL');
  waitSync(`end of node ${name}`, () => hasEnded(pid));
}

function hasEnded(pid: number): boolean {
  try {
    return / [ZX] /.test(readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/.*\)/, ''));
  } catch {
    return true;
  }
}
