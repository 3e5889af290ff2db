// A program of the benchmark, run by Node beside it: the agents of a fleet, and a kubelet that their port-forwards may end
// in. It is told in one line of JSON what to be, and by later ones how to misbehave; it ends with its stdin.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createInterface } from 'node:readline';

import { startKubelet } from '../support/cluster/kubelet.ts';
import { faults } from '../support/fault-proxy.ts';
import { fleetScenario } from '../support/fleet/scenario.ts';
import { simulatedAgent } from '../support/fleet/simulated-agent.ts';
import { replaying } from './fleet-replay.ts';

/** The first line. */
export interface AgentsStart {
  readonly nodes: readonly string[];
  readonly certificate: { readonly cert: string; readonly key: string };
}

/** What is answered to it. */
export interface AgentsStarted {
  readonly ports: Readonly<Record<string, number>>;
  readonly kubeletPort: number;
}

/** Every later line. */
export interface Misbehaviour {
  /** Of all requests, 0 to 1, answered by a reset, status 500 or half an answer in turn. */
  readonly faultShare: number;
  /** These swallow every request, also over streams that are open. */
  readonly dead: readonly string[];
}

/** What is answered to those: what has come since the last one. */
export interface Seen {
  readonly requests: number;
  readonly faults: number;
}

const kinds = [faults.reset, faults.error500, faults.truncated];
let misbehaviour: Misbehaviour = { faultShare: 0, dead: [] };
let seen = { requests: 0, faults: 0 };

function intercept(node: string, request: IncomingMessage, response: ServerResponse): boolean {
  seen.requests += 1;
  if (misbehaviour.dead.includes(node)) return true;
  if (Math.random() >= misbehaviour.faultShare) return false;
  const kind = kinds[seen.faults % kinds.length] ?? faults.reset;
  seen.faults += 1;
  kind({ request, response, body: '', agent: () => Promise.reject(new Error('it is not asked')) });
  return true;
}

async function start({ nodes, certificate }: AgentsStart): Promise<AgentsStarted> {
  const { scenario } = fleetScenario(nodes);
  const ports: Record<string, number> = {};
  for (const node of nodes) {
    const { port } = await simulatedAgent(scenario, node);
    ports[node] = await replaying(port, (request, response) => intercept(node, request, response));
  }
  const { port: kubeletPort } = await startKubelet(certificate, (pod) => ports[pod.replace('agent-', '')]);
  return { ports, kubeletPort };
}

function misbehave(next: Misbehaviour): Seen {
  const last = seen;
  misbehaviour = next;
  seen = { requests: 0, faults: 0 };
  return last;
}

let started = false;
for await (const line of createInterface({ input: process.stdin })) {
  const answer = started ? misbehave(JSON.parse(line)) : await start(JSON.parse(line));
  started = true;
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
process.exit(0);
