import { execFile } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import process from 'node:process';
import { promisify } from 'node:util';

import { cacheDirectory } from '../cache.ts';

/** For a port-forward by websocket 1.34 checks the verb `get`, 1.35 `get` and `create`: both are worth a run. */
export type KubernetesVersion = '1.34' | '1.35';

/** Paths of the programs a cluster is made of. */
export interface Programs {
  readonly etcd: string;
  readonly apiServer: string;
  readonly kwok: string;
  readonly kubectl: string;
}

export const apiServers: Record<KubernetesVersion, string> = { '1.34': 'v1.34.4', '1.35': 'v1.35.4' };
export const etcdVersion = 'v3.6.6';
export const helmVersion = 'v3.22.0';
const kwokVersion = 'v0.7.0';

const { PATH = '' } = process.env;

/**
 * Builds what the cache lacks. The first time this takes minutes of both CPU and patience (about eight on two
 * cores for one version), so call it from a place without a test's time limit; afterwards it takes nothing.
 */
export async function ensurePrograms(version: KubernetesVersion): Promise<Programs> {
  const apiServer = apiServers[version];
  return {
    etcd: await ensure('etcd', etcdVersion),
    kwok: await ensure('kwok', kwokVersion),
    apiServer: await ensure('kube-apiserver', apiServer),
    kubectl: onPath('kubectl') ?? (await ensure('kubectl', apiServer)),
  };
}

/** Helm alone: for what needs no cluster. */
export function ensureHelm(): Promise<string> {
  return ensure('helm', helmVersion);
}

/** Why no cluster can run on this machine, or undefined where one can. */
export function whyNotHere(): string | undefined {
  if (process.platform !== 'linux') return `the cluster tests need Linux; this is ${process.platform}`;
  const missing = ['bash', 'openssl', 'setpriv', 'flock'].filter((tool) => onPath(tool) === undefined);
  if (missing.length > 0) return `the cluster tests need ${missing.join(', ')} on PATH`;
  const built = [cached('etcd', etcdVersion), cached('kwok', kwokVersion)];
  built.push(...Object.values(apiServers).map((version) => cached('kube-apiserver', version)));
  if (built.every(executable) || onPath('go')) return undefined;
  return `the cluster tests need Go on PATH, once, to build etcd, kwok and kube-apiserver into ${cacheDirectory}`;
}

/** The path of a program that build.sh knows, built if the cache lacks it. */
export async function ensure(program: string, version: string): Promise<string> {
  const path = cached(program, version);
  if (executable(path)) return path;
  const script = join(import.meta.dirname, 'build.sh');
  try {
    await promisify(execFile)('nice', ['bash', script, program, version, path], { maxBuffer: 64 << 20 });
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : cause; // ends with what the compiler said
    throw new Error(`building ${program} ${version} failed: ${why}`, { cause });
  }
  return path;
}

/** Where it is, or will be. */
export function cached(program: string, version: string): string {
  return join(cacheDirectory, `${program}-${version}`);
}

export function onPath(program: string): string | undefined {
  const folders = PATH.split(delimiter);
  return folders.map((folder) => join(folder, program)).find(executable);
}

export function executable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
