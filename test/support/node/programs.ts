import { execFile, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { promisify } from 'node:util';
import { cacheDirectory } from '../cache.ts';
import {
  apiServers,
  cached,
  ensure,
  ensureHelm,
  etcdVersion,
  executable,
  helmVersion,
  onPath,
  whyNotHere,
} from '../cluster/programs.ts';
import {
  cachedPackage,
  type DebianProgram,
  debianPackages,
  librariesIn,
  unpackedProgram,
} from '../debian.ts';

/** Paths of what a cluster with real nodes is made of. */
export interface NodePrograms {
  readonly etcd: string;
  readonly apiServer: string;
  readonly kubectl: string;
  readonly controllerManager: string;
  readonly scheduler: string;
  readonly kubelet: string;
  readonly helm: string;
  readonly containerd: string;
  readonly ctr: string;
  /** To be run with `libraries`, as all that containerd starts is. */
  readonly runc: string;
  /** Folder of the CNI plugins. */
  readonly cni: string;
  /** For LD_LIBRARY_PATH. */
  readonly libraries: string;
  /** Static: what pods of the harness run. */
  readonly probe: string;
}

const kubernetes = apiServers['1.34']; // the last whose kubelet runs where cgroups are version 1
const packages = ['containerd', 'containernetworking-plugins', 'runc', 'libseccomp2'] as const;
const probeSource = join(import.meta.dirname, 'probe/main.go');

/** Builds and fetches what the cache lacks: minutes the first time, nothing afterwards. */
export async function ensureNodePrograms(): Promise<NodePrograms> {
  const [containerd = '', plugins = '', ...runcAndLibrary] = debianPackages(...packages);
  return {
    etcd: await ensure('etcd', etcdVersion),
    apiServer: await ensure('kube-apiserver', kubernetes),
    controllerManager: await ensure('kube-controller-manager', kubernetes),
    scheduler: await ensure('kube-scheduler', kubernetes),
    kubelet: await ensure('kubelet', kubernetes),
    kubectl: onPath('kubectl') ?? (await ensure('kubectl', kubernetes)),
    helm: await ensureHelm(),
    containerd: join(containerd, 'usr/bin/containerd'),
    ctr: join(containerd, 'usr/bin/ctr'),
    runc: runcProgram().command,
    cni: join(plugins, 'usr/lib/cni'),
    libraries: librariesIn(runcAndLibrary),
    probe: await buildProbe(),
  };
}

/** The nodes' runc alone: for what needs no cluster. @throws Error where it cannot be had */
export function runcProgram(): DebianProgram {
  return unpackedProgram('usr/sbin/runc', ['runc', 'libseccomp2']);
}

/** Why no real node can run on this machine, or undefined where one can. */
export function whyNoNodeHere(): string | undefined {
  return whyNotHere() ?? whyNotTools() ?? whyNotPrograms() ?? whyNotKernel();
}

function whyNotTools(): string | undefined {
  if (process.getuid?.() !== 0) return 'a real node needs root';
  const missing = ['ip', 'mount', 'unshare', 'nsenter', 'tar'].filter((tool) => onPath(tool) === undefined);
  return missing.length > 0 ? `a real node needs ${missing.join(', ')} on PATH` : undefined;
}

function whyNotPrograms(): string | undefined {
  const toFetch = packages.filter((name) => cachedPackage(name) === undefined);
  const canFetch = onPath('apt-get') !== undefined && onPath('dpkg') !== undefined;
  if (toFetch.length > 0 && !canFetch)
    return `a real node needs ${toFetch.join(', ')} in ${cacheDirectory}, or apt-get and dpkg to fetch them`;

  const built = ['kubelet', 'kube-controller-manager', 'kube-scheduler'].map((name) =>
    cached(name, kubernetes),
  );
  built.push(cached('helm', helmVersion), cachedProbe());
  if (built.every(executable) || onPath('go')) return undefined;
  return `a real node needs Go on PATH, once, to build kubelet, helm and others into ${cacheDirectory}`;
}

function whyNotKernel(): string | undefined {
  const { status, stderr } = spawnSync('unshare', ['--pid', '--fork', '--mount', '--net', 'true'], {
    encoding: 'utf8',
  });
  return status === 0 ? undefined : `a real node needs namespaces of its own: ${stderr.trim()}`;
}

async function buildProbe(): Promise<string> {
  const path = cachedProbe();
  if (executable(path)) return path;
  const fresh = `${path}.${process.pid}`;
  const flags = ['build', '-trimpath', '-ldflags', '-s -w', '-o', fresh, probeSource];
  await promisify(execFile)('go', flags, { env: { ...process.env, CGO_ENABLED: '0', GOWORK: 'off' } });
  renameSync(fresh, path);
  return path;
}

function cachedProbe(): string {
  const version = createHash('sha256').update(readFileSync(probeSource)).digest('hex').slice(0, 12);
  return cached('probe', version);
}
