/** What we think of a GPU, from best to worst. `unknown`: it cannot be told, which is never the same as ok. */
export const verdicts = ['ok', 'watch', 'unknown', 'degraded', 'failed'] as const;
export type Verdict = (typeof verdicts)[number];

/** What to do, from nothing to the most drastic. */
export const actions = [
  'none',
  'restartWorkload',
  'runDiagnostics',
  'resetGpu',
  'drain',
  'rebootNode',
  'contactSupport',
  'replace',
] as const;
export type Action = (typeof actions)[number];

/** What each action means on a node, in words for whoever has to do it. */
export const actionWords: Readonly<Record<Action, string>> = {
  none: 'nothing',
  restartWorkload: 'restart the workload',
  runDiagnostics: 'look at cooling, power and the kernel log; run dcgmi diag',
  // The agent has the driver open, which alone makes nvidia-smi refuse to reset.
  resetGpu:
    'drain its pods and pause its agent (kubectl label node NODE k8s-gpu-mcp/paused=true), then nvidia-smi --gpu-reset; if that is refused, reboot the node',
  drain: 'drain the node',
  rebootNode: 'drain the node and reboot it',
  contactSupport: 'contact support',
  replace: 'drain the node and have the GPU replaced',
};

/** One fact behind a verdict. `threshold` is what it was held against, null where its mere presence counts. */
export interface Evidence {
  readonly name: string;
  readonly value: string | number | boolean;
  readonly unit: string | null;
  readonly threshold: string | number | boolean | null;
  /** The nvml.h symbol, or `agent` for what the agent saw itself. */
  readonly source: string;
  readonly ageMs: number | null;
}

/** One thing that is wrong with a GPU, in a sentence without a full stop. */
export interface Finding {
  readonly verdict: Verdict;
  readonly action: Action;
  readonly text: string;
  readonly evidence: readonly Evidence[];
}

export function worst<T extends string>(order: readonly T[], values: readonly T[], best: T): T {
  return values.reduce((a, b) => (order.indexOf(b) > order.indexOf(a) ? b : a), best);
}
