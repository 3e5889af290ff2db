import type { DaemonSet } from './daemon-set.ts';
import type { Warning } from './warning.ts';

const lacksRuntime = /RuntimeClass .* not found|no runtime for .* is configured/i;

/** An event says what a node or the cluster lacks, but not what to set instead. Empty where nothing can be advised. */
export function runtimeWayOut({ message }: Warning): string {
  if (!lacksRuntime.test(message)) return '';
  return (
    '. Where the nvidia runtime is the default of the GPU nodes: chart value gpuAccess.runtimeClass.name=""; ' +
    'else another gpuAccess.mode, see chart/README.md'
  );
}

/** An event says which rule a DaemonSet's pods break, but not who can do what about it. Empty where nothing can be advised. */
export function admissionWayOut(
  { message }: Warning,
  { namespace, serviceAccount }: Pick<DaemonSet, 'namespace' | 'serviceAccount'>,
): string {
  if (/unable to validate against any security context constraint/i.test(message))
    return `. Allow it: oc adm policy add-scc-to-user privileged -z ${serviceAccount} -n ${namespace}`;
  if (!/violates PodSecurity/i.test(message)) return '';
  const allow = `kubectl label namespace ${namespace} pod-security.kubernetes.io/enforce=privileged --overwrite`;
  if (/securityContext\.privileged=true/.test(message))
    return `. gpuAccess.mode=hostDriver makes the container privileged, which must be allowed: ${allow}; or choose another mode`;
  return (
    '. Do without: chart values kernelLog.enabled=false, podResources.enabled=false, hostProc.enabled=false; ' +
    `or allow it: ${allow}`
  );
}
