import { readDaemonSet } from '../../../src/bridge/cluster/daemon-set.ts';
import { discover } from '../../../src/bridge/cluster/discover.ts';
import { readNode } from '../../../src/bridge/cluster/gpu-node.ts';
import { readPod } from '../../../src/bridge/cluster/pod.ts';
import type { View } from '../../../src/bridge/cluster/view.ts';
import { readWarning } from '../../../src/bridge/cluster/warning.ts';
import { daemonSet, type KubeObject } from './objects.ts';

export interface Given {
  pods?: KubeObject[];
  daemonSets?: KubeObject[] | null;
  nodes?: KubeObject[] | null;
  events?: KubeObject[];
  namespace?: string;
  selector?: string;
}

/** What discovery makes of objects as the API server sends them; one DaemonSet `gpu-mcp/agent` unless told otherwise. */
export function see({ pods = [], daemonSets = [daemonSet('agent')], nodes = [], ...rest }: Given): View {
  return discover({
    pods: pods.map(readPod),
    daemonSets: daemonSets?.map((raw) => readDaemonSet(raw)) ?? null,
    nodes: nodes?.map((raw) => readNode(raw)) ?? null,
    warnings: (rest.events ?? []).map((raw) => readWarning(raw)),
    namespace: rest.namespace ?? null,
    selector: rest.selector ?? null,
  });
}

/** Why the first node without an agent has none. */
export function why(given: Given): string | undefined {
  return see(given).withoutAgent[0]?.why;
}
