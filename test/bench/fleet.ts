import { ensurePrograms, whyNotHere } from '../support/cluster/programs.ts';
import { type Benchmark, type Bound, type Figure, percentile } from './bench.ts';
import { type BridgeHost, callTool, withBridge } from './bridge-host.ts';
import { openRows, type Rows } from './bridge-rows.ts';
import { type BenchFleet, startBenchFleet } from './fleet-cluster.ts';
import { type Expected, whyNoSuccess } from './fleet-success.ts';
import { residentOf } from './proc.ts';

export interface FleetPlan {
  readonly nodes: number;
  /** Each with bridges of its own. */
  readonly runs: number;
  /** Of a run in which all are healthy, and of one in which one is dead. */
  readonly calls: number;
  /** With requests that are answered by faults. */
  readonly faulty?: { readonly runs: number; readonly calls: number };
  /** What is held against a bound only at this size. */
  readonly bounds: Readonly<Partial<Record<'cold' | 'warmP50' | 'warmP99', Bound>>>;
}

/** Calls of one bridge. */
interface Series {
  /** Of each call, in ms. */
  readonly tookMs: readonly number[];
  readonly wholeMs: number;
  readonly failures: readonly string[];
}

const faultShare = 0.05;
const allWell = { faultShare: 0, dead: [] };

/** Fan-out over real port-forwards. */
export function fleetOf(plan: FleetPlan): Benchmark {
  return {
    name: `fleet-${plan.nodes}`,
    about: `get_gpu_health of ${plan.nodes} nodes through a real API server`,
    whyNot: whyNotHere,
    measure: (report) => measure(plan, report),
  };
}

async function measure(plan: FleetPlan, report: (figure: Figure) => void): Promise<void> {
  await ensurePrograms('1.34');
  const fleet = await startBenchFleet(plan.nodes);
  const rows = openRows();
  const bench = { fleet, plan, rows };
  try {
    for (let run = 0; run < plan.runs; run += 1) {
      await firstAnswer(bench);
      await healthy(bench);
      await oneDead(bench);
    }
    const { faulty = { runs: 0, calls: 0 } } = plan;
    if (faulty.runs > 0) await fleet.useClosingKubelet();
    for (let run = 0; run < faulty.runs; run += 1) await withFaults(bench, faulty.calls);
  } finally {
    await fleet.stop();
  }
  rows.report(report);
}

interface Bench {
  readonly fleet: BenchFleet;
  readonly plan: FleetPlan;
  readonly rows: Rows;
}

const startOf = ({ fleet }: Bench) => ({ args: ['--structured'], env: { KUBECONFIG: fleet.kubeconfig } });
const allOf = ({ fleet }: Bench): Expected => ({ healthy: fleet.nodes, others: [] });

/** From the start of the process, with all that a cluster needs to be loaded and listed, for one node. */
async function firstAnswer(bench: Bench): Promise<void> {
  const [first] = bench.fleet.nodes;
  if (!first) return;
  await withBridge(startOf(bench), async (host) => {
    const why = await called(host, { healthy: [first], others: [] }, { nodes: [first.node] });
    if (why !== undefined) throw new Error(`one agent by port-forward gave no answer: ${why}`);
    const what = `start → first answer, one agent of ${bench.plan.nodes} by port-forward`;
    bench.rows.add(what, 'ms', performance.now() - host.startedMs);
  });
}

async function healthy(bench: Bench): Promise<void> {
  const { rows, plan } = bench;
  const { nodes, bounds, calls } = plan;
  await withBridge(startOf(bench), async (host) => {
    const cold = await series(host, allOf(bench), { calls: 1, atOnce: 1 });
    rows.add(`${nodes} nodes, cold: first call of a bridge`, 'ms', percentile(cold.tookMs, 50), bounds.cold);
    rows.add(`${nodes} nodes, cold: success`, '%', success(cold), { above: 99 });
    await series(host, allOf(bench), { calls: 20, atOnce: 1 }); // warm: what is measured is what follows
    for (const atOnce of [1, 8, 32]) {
      const one = await series(host, allOf(bench), { calls, atOnce });
      const what = `${nodes} nodes, warm, ${atOnce} ${atOnce === 1 ? 'caller' : 'callers'}`;
      const bounded = atOnce === 1 ? bounds : {};
      rows.add(`${what}: p50`, 'ms', percentile(one.tookMs, 50), bounded.warmP50);
      rows.add(`${what}: p99`, 'ms', percentile(one.tookMs, 99), bounded.warmP99);
      rows.add(`${what}: calls/s`, 'calls/s', (calls / one.wholeMs) * 1000);
      rows.add(`${what}: success of ${calls} calls`, '%', success(one), { above: 99 });
    }
    rows.add(`${nodes} nodes: bridge memory after that`, 'MB', residentOf(await host.pid).allMb);
  });
}

/** It dies under a bridge that has a stream to it open. */
async function oneDead(bench: Bench): Promise<void> {
  const { fleet, rows, plan } = bench;
  const dead = fleet.nodes.slice(-1);
  const expected = { healthy: fleet.nodes.slice(0, -1), others: dead.map(({ node }) => node) };
  await withBridge(startOf(bench), async (host) => {
    await series(host, allOf(bench), { calls: 5, atOnce: 1 });
    await fleet.misbehave({ ...allWell, dead: expected.others });
    try {
      const one = await series(host, expected, { calls: plan.calls, atOnce: 1 });
      const what = `${plan.nodes} nodes, one dead`;
      rows.add(`${what}: success of ${plan.calls} calls`, '%', success(one), { above: 99 });
      rows.add(`${what}: p50`, 'ms', percentile(one.tookMs, 50), { atMost: 500 });
      rows.add(`${what}: p99`, 'ms', percentile(one.tookMs, 99), { atMost: 2000 });
      rows.add(`${what}: slowest call`, 'ms', Math.max(...one.tookMs));
    } finally {
      await fleet.misbehave(allWell);
    }
  });
}

async function withFaults(bench: Bench, calls: number): Promise<void> {
  const { fleet, rows, plan } = bench;
  await withBridge(startOf(bench), async (host) => {
    await series(host, allOf(bench), { calls: 5, atOnce: 1 });
    await fleet.misbehave({ ...allWell, faultShare });
    try {
      const one = await series(host, allOf(bench), { calls, atOnce: 1 });
      const seen = await fleet.misbehave(allWell);
      const what = `${plan.nodes} nodes, ${100 * faultShare} % of requests fail`;
      rows.add(`${what}: success of ${calls} calls`, '%', success(one), { above: 99.9 });
      rows.add(`${what}: p50`, 'ms', percentile(one.tookMs, 50));
      rows.add(`${what}: p99`, 'ms', percentile(one.tookMs, 99));
      rows.add(`${what}: share that did`, '%', (100 * seen.faults) / seen.requests);
    } finally {
      await fleet.misbehave(allWell);
    }
  });
}

/** So many calls by so many callers, each of whom calls again when it is answered. */
async function series(
  host: BridgeHost,
  expected: Expected,
  { calls, atOnce }: { calls: number; atOnce: number },
): Promise<Series> {
  const tookMs: number[] = [];
  const failures: string[] = [];
  let left = calls;
  const caller = async () => {
    while (left > 0) {
      left -= 1;
      const startedMs = performance.now();
      const why = await called(host, expected);
      tookMs.push(performance.now() - startedMs);
      if (why !== undefined) failures.push(why);
    }
  };
  const startedMs = performance.now();
  await Promise.all(Array.from({ length: atOnce }, caller));
  const wholeMs = performance.now() - startedMs;
  const [first] = failures;
  if (first) process.stderr.write(`  ${failures.length} of ${calls} calls failed, the first by ${first}\n`);
  return { tookMs, wholeMs, failures };
}

/** Why the call did not succeed, or undefined. */
async function called(host: BridgeHost, expected: Expected, args: object = {}): Promise<string | undefined> {
  const { structuredContent, content } = await callTool(host, 'get_gpu_health', args);
  if (structuredContent === undefined) return content[0]?.text ?? 'an empty answer';
  return whyNoSuccess(structuredContent, expected);
}

function success({ tookMs, failures }: Series): number {
  return (100 * (tookMs.length - failures.length)) / tookMs.length;
}
