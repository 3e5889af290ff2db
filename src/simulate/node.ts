import type { Driver } from '../core/driver.ts';
import type { ProcessOnNode } from '../core/process.ts';
import { defaultScenario } from './built-in.ts';
import { simulatedDriver } from './driver.ts';
import { simulatedProcessOnNode } from './processes.ts';
import { nodeOf, parseScenario, type Scenario } from './scenario.ts';

/** A node with made-up GPUs: its name, and its driver, opened as often as wanted. */
export interface SimulatedNode {
  readonly node: string;
  readonly spawnDriver: () => Driver;
  /** What its kernel would say of a process. */
  readonly processOnNode: (pid: number) => ProcessOnNode;
  /** Its kernel log up to now, as klogctl gives one; times count from the start. */
  readonly kernelLogText: () => string;
}

/**
 * @param file  a scenario's text and the name by which messages call it; without one, the built-in node
 * @throws Fault SCENARIO_INVALID
 */
export function simulatedNode(
  file: { readonly name: string; readonly text: string } | undefined,
  nodeName: string | undefined,
): SimulatedNode {
  const scenario = file ? parseScenario(file.text, file.name) : defaultScenario;
  const { name } = nodeOf(scenario, file && nodeName);
  const startedMs = performance.now();
  const nowMs = () => performance.now() - startedMs;
  return {
    node: nodeName ?? name,
    spawnDriver: () => simulatedDriver({ scenario, node: name, nowMs }),
    processOnNode: simulatedProcessOnNode(name, Date.now()),
    kernelLogText: () => kernelLogText(scenario, name, nowMs()),
  };
}

/** At the level at which the driver complains. */
const warning = 4;

function kernelLogText({ kernelLog }: Scenario, node: string, nowMs: number): string {
  return kernelLog
    .filter((entry) => entry.node === node && entry.atMs <= nowMs)
    .map(({ atMs, line }) => `<${warning}>[${(atMs / 1000).toFixed(6).padStart(12)}] ${line}`)
    .join('\n');
}
