import { Counter, Gauge, Histogram, Registry } from 'prom-client';

import { verdictsOf } from '../tools/health-gpu.ts';
import type { NodeContext } from '../tools/tool.ts';
import { version } from '../version.ts';
import { type GpuSources, registerGpus, registerVerdicts } from './gpu-metrics.ts';
import { ownMemory } from './own-memory.ts';

export interface AgentMetrics {
  called(tool: string, outcome: string, durationMs: number): void;
  /** So many calls more are being answered, or fewer: listeners share the count. */
  inFlight(change: number): void;
  /** Prometheus text format. */
  text(): Promise<string>;
  readonly contentType: string;
}

const driverStates = ['starting', 'ok', 'unavailable', 'notResponding'] as const;

/** The agent's own health, and what it knows of GPUs. Ages and states are taken when they are asked for. */
export function agentMetrics(context: () => NodeContext, gpus?: GpuSources): AgentMetrics {
  const snapshot = () => context().snapshot;
  const registry = new Registry();
  registerStates([registry], context);
  registerMemory([registry]);
  registerVerdicts([registry], () => verdictsOf(context()));
  if (gpus) registerGpus([registry], snapshot, gpus);
  const calls = registerCalls([registry]);
  return { ...calls, text: () => registry.metrics(), contentType: registry.contentType };
}

function registerStates(registers: Registry[], context: () => NodeContext): void {
  new Gauge({
    name: 'k8s_gpu_mcp_build_info',
    help: 'Always 1; the labels tell what runs.',
    labelNames: ['version'],
    registers,
  }).set({ version }, 1);
  new Gauge({
    name: 'k8s_gpu_mcp_snapshot_age_seconds',
    help: 'Age of the oldest GPU reading that answers are made of; no sample while nothing was read.',
    registers,
    collect() {
      const { snapshot, nowMs } = context();
      const ages = snapshot.gpus.flatMap(({ readAtMs }) => (readAtMs === null ? [] : [nowMs - readAtMs]));
      setOrRemove(this, ages.length > 0 ? Math.max(...ages) / 1000 : undefined);
    },
  });
  new Gauge({
    name: 'k8s_gpu_mcp_driver_state',
    help: 'State of the NVIDIA driver as the agent sees it: 1 for the state it is in.',
    labelNames: ['state'],
    registers,
    collect() {
      const { state } = context().snapshot.driver;
      for (const each of driverStates) this.set({ state: each }, each === state ? 1 : 0);
    },
  });
}

function registerMemory(registers: Registry[]): void {
  new Gauge({
    name: 'k8s_gpu_mcp_memory_working_set_bytes',
    help: "Memory of the agent's own container as the kubelet counts it; no sample where that cannot be told.",
    registers,
    collect() {
      setOrRemove(this, ownMemory()?.workingSetBytes);
    },
  });
  new Gauge({
    name: 'k8s_gpu_mcp_memory_limit_bytes',
    help: "The limit of the agent's own container; no sample where there is none.",
    registers,
    collect() {
      setOrRemove(this, ownMemory()?.limitBytes);
    },
  });
}

function setOrRemove(gauge: Gauge, value: number | null | undefined): void {
  if (value === null || value === undefined) gauge.remove();
  else gauge.set(value);
}

function registerCalls(registers: Registry[]): Pick<AgentMetrics, 'called' | 'inFlight'> {
  const inFlight = new Gauge({
    name: 'k8s_gpu_mcp_calls_in_flight',
    help: 'HTTP requests being answered.',
    registers,
  });
  const calls = new Counter({
    name: 'k8s_gpu_mcp_calls_total',
    help: 'Tool calls, by outcome: ok or a fault code.',
    labelNames: ['tool', 'outcome'],
    registers,
  });
  const durations = new Histogram({
    name: 'k8s_gpu_mcp_call_duration_seconds',
    help: 'Time to answer a tool call.',
    labelNames: ['tool'],
    buckets: [0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1],
    registers,
  });

  return {
    called(tool, outcome, durationMs) {
      calls.inc({ tool, outcome });
      durations.observe({ tool }, durationMs / 1000);
    },
    inFlight: (change) => inFlight.inc(change),
  };
}
