import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { type Cluster, openCluster } from '../../../src/bridge/cluster/cluster.ts';
import { createLog } from '../../../src/core/log.ts';
import { certificate } from './certificate.ts';
import { type KubeApi, type KubeApiOptions, startKubeApi } from './server.ts';

/** An API server for one test. */
export async function kubeApi(options?: KubeApiOptions): Promise<KubeApi> {
  const api = await startKubeApi(options);
  onTestFinished(() => api.close());
  return api;
}

export interface ClientOptions {
  readonly user?: object;
  readonly cluster?: object;
  readonly namespace?: string;
  readonly selector?: string;
  readonly env?: Readonly<Record<string, string>>;
}

export interface Client extends Cluster {
  /** What was logged so far, in one string. */
  log(): string;
}

/** Our client of it, by a kubeconfig whose context names namespace `mine`. */
export function clientOf(api: { url: string }, options: ClientOptions = {}): Client {
  const folder = mkdtempSync(join(tmpdir(), 'kube-api-'));
  const { user = { token: 'good' }, cluster = {}, env, ...rest } = options;
  const ca = Buffer.from(certificate).toString('base64');
  const kubeconfig = {
    clusters: [{ name: 'fake', cluster: { server: api.url, 'certificate-authority-data': ca, ...cluster } }],
    users: [{ name: 'dev', user }],
    contexts: [{ name: 'test', context: { cluster: 'fake', user: 'dev', namespace: 'mine' } }],
    'current-context': 'test',
  };
  writeFileSync(join(folder, 'config'), JSON.stringify(kubeconfig));
  let lines = '';
  const opened = openCluster({
    ...rest,
    env: { KUBECONFIG: join(folder, 'config'), ...env },
    homeDir: folder,
    platform: process.platform,
    log: createLog('debug', (line) => {
      lines += line;
    }),
  });
  onTestFinished(() => {
    opened.close();
    rmSync(folder, { recursive: true });
  });
  return { ...opened, log: () => lines };
}

export function soon(ms = 10_000): AbortSignal {
  return AbortSignal.timeout(ms);
}
