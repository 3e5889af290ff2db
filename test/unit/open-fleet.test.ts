import { expect, test } from 'vitest';
import type { Agent, Cluster } from '../../src/bridge/cluster/cluster.ts';
import { memberOf } from '../../src/bridge/open-fleet.ts';

const agent: Agent = {
  node: 'gpu-1',
  namespace: 'gpu-mcp',
  pod: 'agent-gpu-1',
  life: 'uid 0',
  ready: true,
  port: 8080,
  podIp: '10.0.0.1',
  mode: 'http',
  exposed: false,
  tlsServerName: null,
  plaintext: false,
};

test('dialled directly, an agent that listens otherwise than before is another one', () => {
  const member = memberOf({} as Cluster, { transport: 'direct', token: undefined });
  const changes: readonly Partial<Agent>[] = [
    {},
    { podIp: null },
    { podIp: '10.0.0.2' },
    { port: 8090 },
    { exposed: true },
    { plaintext: true },
    { tlsServerName: 'a.svc' },
    { tlsServerName: 'b.svc' },
  ];
  const keyWith = (change: Partial<Agent>) => member({ ...agent, ...change }).key;

  expect(new Set(changes.map(keyWith)).size).toBe(changes.length);
  expect(keyWith({ ready: false })).toBe(keyWith({}));
});
