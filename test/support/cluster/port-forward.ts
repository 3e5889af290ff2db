import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { request } from 'node:https';
import { dirname, join } from 'node:path';
import type { Cluster } from './cluster.ts';

/** A pod, and as whom it is asked. */
export interface Asking {
  readonly user: string;
  readonly pod: string;
  readonly namespace: string;
}

type Reached = Pick<Cluster, 'kubeconfig' | 'kubectlPath'>;

/** The body that one GET through the real `kubectl port-forward` brings. @throws Error with what kubectl said */
export function askByKubectl(cluster: Reached, asking: Asking): Promise<string> {
  return withPortForward(cluster, asking, async (url) => {
    const response = await fetch(`${url}/`, { headers: { connection: 'close' } });
    return response.text();
  });
}

/**
 * Does some work while the real `kubectl port-forward` leads from a URL of this machine to port 8080 of the pod.
 * @throws Error with what kubectl said
 */
export async function withPortForward<T>(
  cluster: Reached,
  { user, pod, namespace }: Asking,
  work: (url: string) => Promise<T>,
): Promise<T> {
  const kubeconfig = cluster.kubeconfig(user, namespace);
  const cache = join(dirname(kubeconfig), `kubectl-${user}`);
  const args = [`--kubeconfig=${kubeconfig}`, `--cache-dir=${cache}`, 'port-forward', `pod/${pod}`, ':8080'];
  const child = spawn(cluster.kubectlPath, args, { stdio: 'pipe' });
  const gone = once(child, 'exit');
  try {
    return await work(`http://127.0.0.1:${await localPort(child)}`);
  } finally {
    child.kill('SIGKILL');
    await gone;
  }
}

/**
 * What the API server answers to a port-forward by websocket: 101, or why not. kubectl cannot tell: when a
 * websocket is forbidden it tries again by SPDY, a POST, which asks for another verb.
 */
export function upgradeStatus(
  cluster: Pick<Cluster, 'server' | 'caPath' | 'token'>,
  { user, pod, namespace }: Asking,
): Promise<number | undefined> {
  const url = `${cluster.server}/api/v1/namespaces/${namespace}/pods/${pod}/portforward?ports=8080`;
  const headers = {
    authorization: `Bearer ${cluster.token(user)}`,
    connection: 'Upgrade',
    upgrade: 'websocket',
    'sec-websocket-version': '13',
    'sec-websocket-key': Buffer.alloc(16).toString('base64'),
    'sec-websocket-protocol': 'v4.channel.k8s.io',
  };
  return new Promise((resolve, reject) => {
    const outgoing = request(url, { ca: readFileSync(cluster.caPath), headers, agent: false });
    outgoing.on('upgrade', (response, socket) => {
      socket.destroy();
      resolve(response.statusCode);
    });
    outgoing.on('response', (response) => {
      response.destroy();
      resolve(response.statusCode);
    });
    outgoing.on('error', reject).end();
  });
}

function localPort({ stdout, stderr }: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let said = '';
    stderr?.on('data', (chunk) => {
      said += chunk;
    });
    stdout?.on('data', (chunk) => {
      const port = /127\.0\.0\.1:(\d+)/.exec(`${chunk}`)?.[1];
      if (port) resolve(port);
    });
    stdout?.on('close', () => reject(new Error(`kubectl: ${said}`)));
  });
}
