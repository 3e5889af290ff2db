import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from '../free-port.ts';
import { type Api, connect } from './api.ts';
import { admin, type Credentials, makeCredentials, type User } from './credentials.ts';
import type { Programs } from './programs.ts';
import type { Workshop } from './workshop.ts';

/** A real etcd and a real kube-apiserver, which every cluster of ours has. */
export interface ApiServer {
  /** Such as `https://127.0.0.1:21234`. */
  readonly url: string;
  readonly credentials: Credentials;
  /** As the administrator. */
  readonly api: Api;
  start(): Promise<void>;
  /** As a crash: every connection through it breaks at once. */
  stop(): Promise<void>;
}

export interface ApiServerOptions {
  readonly programs: Pick<Programs, 'etcd' | 'apiServer'>;
  readonly users: readonly User[];
  /** Of this machine: where it listens. */
  readonly address: string;
  /** Whether pods get their service account's token: not where nobody makes the accounts. */
  readonly serviceAccounts: boolean;
}

/** Resolves when it is ready. */
export async function startApiServer(workshop: Workshop, options: ApiServerOptions): Promise<ApiServer> {
  const { programs, users, address } = options;
  const { folder } = workshop;
  const credentials = await makeCredentials(folder, users, address);
  const [etcdPort, etcdPeerPort, port] = [await freePort(), await freePort(), await freePort()];
  const ca = readFileSync(credentials.caPath, 'utf8');
  const api = connect({ address, port }, { ca, token: credentials.token(admin) });

  const start = async () => {
    const args = apiServerArgs({ ...options, port, etcdPort, credentials, folder });
    const server = workshop.run('kube-apiserver', programs.apiServer, args);
    running = server;
    await workshop.until('ready API server', async () => (await api.get('/readyz')) === 'ok');
  };
  const stop = async () => {
    await running?.end();
    api.disconnect();
  };

  let running: { end(): Promise<void> } | undefined;
  workshop.run('etcd', programs.etcd, etcdArgs({ port: etcdPort, peerPort: etcdPeerPort, folder }));
  await start();
  return { url: `https://${address}:${port}`, credentials, api, start, stop };
}

function etcdArgs({ port, peerPort, folder }: { port: number; peerPort: number; folder: string }): string[] {
  const [url, peerUrl] = [`http://127.0.0.1:${port}`, `http://127.0.0.1:${peerPort}`];
  return [
    `--data-dir=${join(folder, 'etcd')}`,
    ...[`--listen-client-urls=${url}`, `--advertise-client-urls=${url}`],
    ...[`--listen-peer-urls=${peerUrl}`, `--initial-advertise-peer-urls=${peerUrl}`],
    `--initial-cluster=default=${peerUrl}`,
    '--unsafe-no-fsync', // the data is thrown away
    '--log-level=warn',
  ];
}

interface Place {
  readonly port: number;
  readonly etcdPort: number;
  readonly credentials: Credentials;
  readonly folder: string;
}

function apiServerArgs(of: Place & ApiServerOptions): string[] {
  const { address, port, etcdPort, credentials, folder, serviceAccounts } = of;
  return [
    `--etcd-servers=http://127.0.0.1:${etcdPort}`,
    ...[`--bind-address=${address}`, `--secure-port=${port}`, `--cert-dir=${folder}`],
    `--tls-cert-file=${credentials.servingCertPath}`,
    `--tls-private-key-file=${credentials.servingKeyPath}`,
    `--client-ca-file=${credentials.caPath}`,
    `--token-auth-file=${credentials.tokenFilePath}`,
    '--authorization-mode=Node,RBAC',
    '--service-account-issuer=https://kubernetes.default.svc',
    `--service-account-key-file=${credentials.serviceAccountKeyPath}`,
    `--service-account-signing-key-file=${credentials.serviceAccountKeyPath}`,
    '--service-cluster-ip-range=10.96.0.0/16',
    '--endpoint-reconciler-type=none', // a loopback address is no endpoint
    ...(serviceAccounts ? [] : ['--disable-admission-plugins=ServiceAccount']),
    '--allow-privileged=true',
    '--kubelet-preferred-address-types=InternalIP',
    `--kubelet-client-certificate=${credentials.kubeletClientCertPath}`,
    `--kubelet-client-key=${credentials.kubeletClientKeyPath}`,
  ];
}
