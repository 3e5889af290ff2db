import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer as createPlain, type IncomingMessage } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import { getRequestListener } from '@hono/node-server';
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { createLog } from '../../src/core/log.ts';
import { createAgent, loopbackDoor } from '../../src/server/agent.ts';
import { simulatedDriver } from '../../src/simulate/driver.ts';
import { parseScenario } from '../../src/simulate/scenario.ts';
import { runBridge } from '../support/bridge-process.ts';
import { freePort } from '../support/free-port.ts';
import { certificate } from '../support/kube-api/certificate.ts';
import { kubeApi } from '../support/kube-api/client.ts';
import { agentPod, daemonSet, gpuNode } from '../support/kube-api/objects.ts';
import { certificateFor, type Pair } from '../support/tls-files.ts';

const serverName = 'agents.gpu-mcp.svc';
const scenario = parseScenario(
  JSON.stringify({ nodes: [{ name: 'gpu-1', gpus: [{ model: 'H100', count: 1 }] }] }),
  'test.json',
);

/** What the agent serves with: a certificate for the name of its Service, and for nothing else. */
let pair: Pair;

beforeAll(async () => {
  pair = await certificateFor(serverName);
});

/** An agent on the pod's address, which is this machine's loopback here. */
async function exposedAgent(tls: Pair | undefined) {
  const names: (string | false | null)[] = [];
  const authorizations: (string | undefined)[] = [];
  const startedMs = performance.now();
  const nowMs = () => performance.now() - startedMs;
  const log = createLog('error', () => undefined);
  const spawnDriver = () => simulatedDriver({ scenario, node: 'gpu-1', nowMs });
  const agent = createAgent(
    { node: 'gpu-1', spawnDriver, simulated: true, sampleIntervalMs: 1000, log },
    256 * 1024,
  );
  const door = { ...loopbackDoor, allowedHosts: undefined, maxInFlight: 32, responseMs: 90_000 };
  const listener = getRequestListener(agent.http(door).fetch);
  const server = tls ? createServer({ cert: tls.cert, key: tls.private }, listener) : createPlain(listener);
  server.on('request', ({ headers }: IncomingMessage) => authorizations.push(headers.authorization));
  server.on('secureConnection', (socket: TLSSocket) => names.push(socket.servername ?? null));
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
    agent.stop();
  });
  await agent.started;
  return { port: (server.address() as AddressInfo).port, names, authorizations };
}

interface Pod {
  readonly port: number;
  readonly labels?: Record<string, string>;
  readonly annotations?: Record<string, string>;
}

const exposed = { 'k8s-gpu-mcp/exposed': 'true' };
const withTls = (name = serverName) => ({
  labels: exposed,
  annotations: { 'k8s-gpu-mcp/tls-server-name': name },
});

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'direct-'));
  onTestFinished(() => rmSync(path, { recursive: true }));
  return path;
}

/** One call of the program against a cluster with that one pod. */
async function ask(pod: Pod, variables: Record<string, string> = {}, flags: readonly string[] = []) {
  const running = {
    phase: 'Running',
    podIP: '127.0.0.1',
    conditions: [{ type: 'Ready', status: 'True' }],
    containerStatuses: [{ name: 'agent', ready: true, state: { running: {} } }],
  };
  const api = await kubeApi({
    objects: [daemonSet('agent'), gpuNode('gpu-1'), agentPod('gpu-1', { ...pod, status: running })],
  });
  const kubeconfig = join(folder(), 'config');
  const ca = Buffer.from(certificate).toString('base64');
  writeFileSync(
    kubeconfig,
    JSON.stringify({
      clusters: [{ name: 'fake', cluster: { server: api.url, 'certificate-authority-data': ca } }],
      users: [{ name: 'dev', user: { token: 'good' } }],
      contexts: [{ name: 'test', context: { cluster: 'fake', user: 'dev' } }],
      'current-context': 'test',
    }),
  );
  const args = ['--transport', 'direct', ...flags, 'call', 'get_gpu_health'];
  return runBridge(onTestFinished, { args, env: { KUBECONFIG: kubeconfig, ...variables } });
}

function trusting(cert: string): Record<string, string> {
  const path = join(folder(), 'ca.crt');
  writeFileSync(path, cert);
  return { NODE_EXTRA_CA_CERTS: path };
}

describe('--transport direct', () => {
  test('an agent with a certificate is asked by https, under the name that stands on its pod', async () => {
    const { port, names } = await exposedAgent(pair);

    const { stdout, code } = await ask({ port, ...withTls() }, trusting(pair.cert));

    expect(stdout).toMatch(/^success: 1 of 1 GPU node answered/);
    expect(code).toBe(0);
    expect(names).toEqual([serverName]);
  });

  test('control: without trust in its certificate it is not asked, and what to set is said', async () => {
    const { port } = await exposedAgent(pair);

    const { stdout, code } = await ask({ port, ...withTls() });

    expect(stdout).toMatch(
      /NO ANSWER from gpu-1: NODE_CERTIFICATE: the certificate of the agent is not trusted: .*self-signed.* Set NODE_EXTRA_CA_CERTS /,
    );
    expect(code).toBe(1);
  });

  test('control: a certificate that names somebody else is not taken', async () => {
    const { port } = await exposedAgent(pair);

    const { stdout } = await ask({ port, ...withTls('other.gpu-mcp.svc') }, trusting(pair.cert));

    expect(stdout).toMatch(/NODE_CERTIFICATE: .*other\.gpu-mcp\.svc/);
  });

  test('one that is exposed without TLS is asked by http', async () => {
    const { port } = await exposedAgent(undefined);

    expect((await ask({ port, labels: exposed })).stdout).toMatch(/^success: 1 of 1/);
  });

  // Node is not to be given an address as the name to ask for: it says so on stderr (DEP0123), each time it connects.
  test('its certificate may name an address: that is checked, and nothing is printed', async () => {
    const address = await certificateFor('by address', '10.9.8.7');
    const { port, names } = await exposedAgent(address);

    const right = await ask({ port, ...withTls('10.9.8.7') }, trusting(address.cert));
    const wrong = await ask({ port, ...withTls('10.9.8.8') }, trusting(address.cert));

    expect(right.stdout).toMatch(/^success: 1 of 1 GPU node answered/);
    expect(right.stderr).toBe('');
    expect(names).toContain(false);
    expect(wrong.stdout).toMatch(/NODE_CERTIFICATE: .*10\.9\.8\.8/);
  });

  test('one that listens on its own loopback refuses: that is said, with the way out', async () => {
    const { stdout } = await ask({ port: await freePort() });

    expect(stdout).toMatch(
      /NO ANSWER from gpu-1: AGENT_NOT_EXPOSED: connect ECONNREFUSED .* helm upgrade with expose\.enabled=true, or leave --transport out\./,
    );
  });

  describe('with a token', () => {
    const plaintext = { 'k8s-gpu-mcp/plaintext': 'true' };
    const withToken = () => {
      const path = join(folder(), 'token');
      writeFileSync(path, 'a-token-of-more-than-16-characters');
      return ['--namespace', 'gpu-mcp', '--token-file', path];
    };

    test('one that goes without TLS and does not say that this is meant gets nothing', async () => {
      const { port, authorizations } = await exposedAgent(undefined);

      const { stdout, code } = await ask({ port, labels: exposed }, {}, withToken());

      expect(stdout).toMatch(
        /AGENT_NOT_EXPOSED: the token was not sent: pod gpu-mcp\/agent-gpu-1 has neither .*tls-server-name.* nor k8s-gpu-mcp\/plaintext: "true"/,
      );
      expect(code).toBe(1);
      expect(authorizations).toEqual([]);
    });

    test('control: one that says so gets it', async () => {
      const { port, authorizations } = await exposedAgent(undefined);

      const { stdout } = await ask({ port, labels: exposed, annotations: plaintext }, {}, withToken());

      expect(stdout).toMatch(/^success: 1 of 1/);
      expect(new Set(authorizations)).toEqual(new Set(['Bearer a-token-of-more-than-16-characters']));
    });

    test('and so does one with a certificate', async () => {
      const { port, authorizations } = await exposedAgent(pair);

      await ask({ port, ...withTls() }, trusting(pair.cert), withToken());

      expect(new Set(authorizations)).toEqual(new Set(['Bearer a-token-of-more-than-16-characters']));
    });
  });

  test('control: one that is exposed and refuses is simply away', async () => {
    const { stdout } = await ask({ port: await freePort(), labels: exposed });

    expect(stdout).toMatch(/NO ANSWER from gpu-1: NODE_UNREACHABLE: /);
  });
});

test('a named node with a certificate that is not trusted: the same is said', async () => {
  const { port } = await exposedAgent(pair);
  const url = `gpu-1=https://127.0.0.1:${port}`;

  const { stdout } = await runBridge(onTestFinished, { args: ['--node', url, 'call', 'get_gpu_health'] });

  expect(stdout).toMatch(
    /NODE_CERTIFICATE: the certificate of the agent is not trusted: .*NODE_EXTRA_CA_CERTS/,
  );
});
