import type { DaemonSet } from './daemon-set.ts';
import type { Warning } from './warning.ts';

type Refused = Pick<DaemonSet, 'namespace' | 'name' | 'serviceAccount'>;

/** In the words of the API server, containerd and CRI-O. */
const lacksRuntime =
  /RuntimeClass .* not found|no runtime for .* is configured|failed to find runtime handler/i;
const setRuntime =
  '. Where the nvidia runtime is the default of the GPU nodes: chart value gpuAccess.runtimeClass.name=""; ' +
  'else another gpuAccess.mode, see chart/README.md';

/** An event says what a node or the cluster lacks, but not what to set instead. Empty where nothing can be advised. */
export function runtimeWayOut({ message }: Warning): string {
  return lacksRuntime.test(message) ? setRuntime : '';
}

/**
 * What helps a DaemonSet whose pods the API server refuses. Its controller tries again less and less often, after 1,000 s
 * at last, and does not notice that a namespace or a RuntimeClass has changed: it has to be woken.
 *
 * @returns empty where nothing can be advised
 */
export function creationWayOut(warning: Warning, daemonSet: Refused): string {
  const allow = lacksRuntime.test(warning.message)
    ? `${setRuntime}; or make the RuntimeClass`
    : admissionWayOut(warning, daemonSet);
  if (allow === '') return '';
  const { namespace, name } = daemonSet;
  return `${allow}; then: kubectl --namespace ${namespace} rollout restart daemonset/${name}`;
}

/** An event says which rule a DaemonSet's pods break, but not who can do what about it. */
function admissionWayOut({ message }: Warning, { namespace, serviceAccount }: Refused): string {
  const allow = allowance(message, namespace, serviceAccount);
  if (allow === undefined) return '';
  const instead = /securityContext\.privileged=true|privileged: Invalid value: true/.test(message)
    ? 'gpuAccess.mode=hostDriver makes the container privileged: choose another mode'
    : 'Do without: chart values kernelLog.enabled=false, podResources.enabled=false, hostPID.enabled=false';
  return `. ${instead}; or allow it: ${allow}`;
}

/** OpenShift's security context constraints, and the Pod Security of Kubernetes. */
function allowance(message: string, namespace: string, serviceAccount: string): string | undefined {
  if (/unable to validate against any security context constraint/i.test(message))
    return `oc adm policy add-scc-to-user privileged -z ${serviceAccount} -n ${namespace}`;
  if (/violates PodSecurity/i.test(message))
    return `kubectl label namespace ${namespace} pod-security.kubernetes.io/enforce=privileged --overwrite`;
  return undefined;
}
