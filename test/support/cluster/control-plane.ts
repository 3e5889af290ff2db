import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from '../free-port.ts';
import { type Api, connect } from './api.ts';
import { atExit } from './clean-up.ts';
import { admin, type Credentials, makeCredentials } from './credentials.ts';
import { makeFolder, removeFolder } from './folder.ts';
import { type ForwardsSeen, forwardsSeen } from './forwards-seen.ts';
import { kwokArgs, portForwardDefinition, stages } from './kwok.ts';
import { launch, type Running, untilReady } from './processes.ts';
import type { Programs } from './programs.ts';

/** The programs of one cluster, running in a folder of their own. */
export interface ControlPlane {
  readonly folder: string;
  readonly server: string;
  readonly credentials: Credentials;
  /** As the administrator. */
  readonly api: Api;
  readonly forwardsSeen: ForwardsSeen;
  startApiServer(): Promise<void>;
  stopApiServer(): Promise<void>;
  /** Ends every program and removes the folder; calling it twice is fine. */
  stop(): Promise<void>;
}

/** @throws Error with the end of the failing program's log; nothing stays behind then. */
export async function startControlPlane(programs: Programs, users: readonly string[]): Promise<ControlPlane> {
  const folder = makeFolder();
  const running = new Map<string, Running>();
  const callOff = atExit(() => {
    for (const program of running.values()) program.kill();
    removeFolder(folder);
  });
  const run = (name: string, command: string, args: readonly string[]) => {
    running.set(name, launch(name, command, args, join(folder, `${name}.log`)));
  };
  const stop = async () => {
    await Promise.all([...running.values()].map((program) => program.end()));
    removeFolder(folder);
    callOff();
  };

  try {
    return await bringUp({ programs, users, folder, running, run, stop });
  } catch (cause) {
    await stop();
    throw cause;
  }
}

interface Workshop {
  readonly programs: Programs;
  readonly users: readonly string[];
  readonly folder: string;
  readonly running: ReadonlyMap<string, Running>;
  run(name: string, command: string, args: readonly string[]): void;
  stop(): Promise<void>;
}

async function bringUp({ programs, users, folder, running, run, stop }: Workshop): Promise<ControlPlane> {
  const credentials = await makeCredentials(folder, users);
  const [etcdPort, etcdPeerPort, port, kwokPort] = await distinctPorts();
  const server = `https://127.0.0.1:${port}`;
  const api = connect(port, {
    ca: readFileSync(credentials.caPath, 'utf8'),
    token: credentials.token(admin),
  });
  const until = (what: string, ready: () => Promise<boolean>) =>
    untilReady(what, { programs: [...running.values()], ready, limitMs: 60_000 });

  const startApiServer = async () => {
    run('kube-apiserver', programs.apiServer, apiServerArgs({ port, etcdPort, credentials, folder }));
    await until('ready API server', async () => (await api.get('/readyz')) === 'ok');
  };
  const stopApiServer = async () => {
    await running.get('kube-apiserver')?.end();
    api.disconnect();
  };

  run('etcd', programs.etcd, etcdArgs({ port: etcdPort, peerPort: etcdPeerPort, folder }));
  await startApiServer();
  await api.apply(portForwardDefinition);
  await until('PortForward resource', async () =>
    Boolean(await api.get('/apis/kwok.x-k8s.io/v1alpha1/portforwards')),
  );

  const config = join(folder, 'kwok.yaml');
  writeFileSync(config, stages);
  const { servingCertPath: cert, servingKeyPath: key } = credentials;
  const kubeconfig = credentials.kubeconfig(admin, server);
  run('kwok', programs.kwok, kwokArgs({ kubeconfig, config, port: kwokPort, cert, key }));
  return {
    folder,
    server,
    credentials,
    api,
    forwardsSeen: forwardsSeen(api, kwokPort),
    startApiServer,
    stopApiServer,
    stop,
  };
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

function apiServerArgs(of: {
  port: number;
  etcdPort: number;
  credentials: Credentials;
  folder: string;
}): string[] {
  const { port, etcdPort, credentials, folder } = of;
  return [
    `--etcd-servers=http://127.0.0.1:${etcdPort}`,
    ...['--bind-address=127.0.0.1', `--secure-port=${port}`, `--cert-dir=${folder}`],
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
    '--disable-admission-plugins=ServiceAccount', // nobody here makes the `default` one it asks of each namespace
    '--allow-privileged=true',
    '--kubelet-preferred-address-types=InternalIP',
  ];
}

async function distinctPorts(): Promise<[number, number, number, number]> {
  const ports = [await freePort(), await freePort(), await freePort(), await freePort()] as const;
  return new Set(ports).size === ports.length ? [...ports] : distinctPorts();
}
