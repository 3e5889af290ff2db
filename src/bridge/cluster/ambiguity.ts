import { Fault } from '../../core/fault.ts';
import { groupBy } from '../../core/group-by.ts';
import { byName } from '../../core/names.ts';
import type { Labels } from './metadata.ts';
import type { Pod } from './pod.ts';
import { listed } from './text.ts';

/**
 * Lets pass what can be asked without guessing: agents in one namespace, of one DaemonSet per node. Who could
 * start a second DaemonSet with our label could otherwise answer for the nodes of the first. Pods that are going
 * away do not count, so that a move from one namespace to another ends by itself.
 *
 * @throws Fault AGENTS_AMBIGUOUS, with the choices and the flag for each
 */
export function refuseAmbiguity(
  pods: readonly Pod[],
  { namespace, selector }: { readonly namespace: string | null; readonly selector: string | null },
): void {
  const staying = pods.filter(({ terminating }) => !terminating);
  const byNamespace = groupBy(staying, (pod) => pod.namespace);
  if (byNamespace.size > 1) {
    const choices = [...byNamespace]
      .map(([name, group]) => `--namespace ${name} (${daemonSetsOf(group)})`)
      .sort(byName);
    throw ambiguous(`there are agents in ${byNamespace.size} namespaces`, choices);
  }

  const contested = [...groupBy(staying, (pod) => pod.node)]
    .filter(([node, group]) => node !== null && new Set(group.map((pod) => pod.daemonSet?.uid)).size > 1)
    .map(([node]) => node ?? '');
  if (contested.length === 0) return;

  const groups = [...groupBy(staying, (pod) => pod.daemonSet?.uid).values()];
  const where = `on ${listed(contested.sort(byName), 3)} there are agents of two DaemonSets`;
  const keep = namespace === null ? '' : `--namespace ${namespace} `;
  const choices = groups.map((group) => {
    const label = tellingLabel(group, groups) ?? 'LABEL=VALUE';
    return `${keep}--selector ${selector ? `${selector},` : ''}${label} (${daemonSetsOf(group)})`;
  });
  throw ambiguous(where, choices.sort(byName));
}

function ambiguous(what: string, choices: readonly string[]): Fault {
  return new Fault(`${what}, and none is asked until one is chosen: ${choices.join(' or ')}`, {
    code: 'AGENTS_AMBIGUOUS',
  });
}

function daemonSetsOf(pods: readonly Pod[]): string {
  const counts = [...groupBy(pods, ({ namespace, daemonSet }) => `${namespace}/${daemonSet?.name}`)];
  return listed(counts.map(([name, group]) => `DaemonSet ${name} with ${group.length} pods`));
}

/** Set by the controller on every roll-out: they tell DaemonSets apart, but only until the next one. */
const passing: ReadonlySet<string> = new Set(['controller-revision-hash', 'pod-template-generation']);

/** Helm's name of a release: what a person knows it by. */
const release = 'app.kubernetes.io/instance';

/** A label that all pods of one group carry and no pod of another does; undefined if there is none. */
function tellingLabel(group: readonly Pod[], groups: readonly (readonly Pod[])[]): string | undefined {
  const has = (labels: Labels, [key, value]: readonly [string, string]) => labels[key] === value;
  const others = groups.filter((other) => other !== group).flat();
  const candidates = Object.entries(group[0]?.labels ?? {}).filter(([key]) => !passing.has(key));
  const byRelease = (a: readonly [string, string], b: readonly [string, string]) =>
    Number(b[0] === release) - Number(a[0] === release);
  const telling = candidates
    .sort(byRelease)
    .find(
      (label) =>
        group.every((pod) => has(pod.labels, label)) && !others.some((pod) => has(pod.labels, label)),
    );
  return telling?.join('=');
}
