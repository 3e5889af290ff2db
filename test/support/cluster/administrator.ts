import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Api, KubeObject, ObjectRef } from './api.ts';
import { admin, type Credentials } from './credentials.ts';

/** What `admin` (system:masters) does to a cluster. */
export interface Administrator {
  /** Resolves to what it printed. @throws Error that ends with what it said */
  kubectl(...args: string[]): Promise<string>;
  /** Creates or replaces objects one after the other. */
  apply(...objects: KubeObject[]): Promise<KubeObject[]>;
  /** Writes through the status subresource; lists are replaced as a whole. */
  patchStatus(ref: ObjectRef, status: object): Promise<void>;
  /** Deletes any kind at once; what does not exist is fine. */
  remove(kind: string, name: string, namespace?: string): Promise<void>;
}

export function administrator(of: {
  api: Api;
  credentials: Credentials;
  folder: string;
  server: string;
  kubectlPath: string;
}): Administrator {
  const { api, credentials, folder, server, kubectlPath } = of;
  const always = [
    `--kubeconfig=${credentials.kubeconfig(admin, server)}`,
    `--cache-dir=${join(folder, 'kubectl')}`,
  ];
  const kubectl = async (...args: string[]) => {
    const { stdout } = await promisify(execFile)(kubectlPath, [...always, ...args], { maxBuffer: 64 << 20 });
    return stdout;
  };
  return {
    kubectl,
    async apply(...objects) {
      const applied: KubeObject[] = [];
      for (const object of objects) applied.push(await api.apply(object));
      return applied;
    },
    async patchStatus(ref, status) {
      await api.patchStatus(ref, status);
    },
    async remove(kind, name, namespace) {
      const where = namespace ? [`--namespace=${namespace}`] : [];
      await kubectl('delete', kind, name, ...where, '--ignore-not-found', '--now', '--timeout=30s');
    },
  };
}
