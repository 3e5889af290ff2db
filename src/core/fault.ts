/**
 * Every way a request can fail. A code is public API: clients branch on it, README.md explains it,
 * and test/unit/readme.test.ts fails when the two disagree.
 *
 * `retryable` says that the same request may succeed a moment later; only then does the bridge ask again.
 */
export const faults = {
  BAD_ARGUMENT: { retryable: false, hint: 'Correct it and call again.' },
  BAD_FLAG: { retryable: false, hint: 'See --help.' },
  GPU_NOT_FOUND: { retryable: false, hint: 'Call get_gpu_inventory with detail=full to see every GPU.' },
  NODE_NOT_FOUND: { retryable: false, hint: 'Leave `nodes` out to ask all, and see their names.' },
  SCENARIO_INVALID: { retryable: false, hint: 'Correct the line of the scenario file that is named.' },

  HOST_CONFIG_INVALID: {
    retryable: false,
    hint: 'Correct the file, or paste what install --print prints into it by hand.',
  },
  HOST_CONFIG_UNWRITABLE: {
    retryable: false,
    hint: 'Install again once the file can be written, or paste what install --print prints into it by hand.',
  },

  DRIVER_NOT_FOUND: {
    retryable: false,
    hint: "Show the node's driver to the pod: chart value gpuAccess.mode=runtimeClass with the right runtimeClass.name, or hostDriver. A node without the kernel module needs the driver first.",
  },
  DRIVER_NOT_LOADED: {
    retryable: false,
    hint: 'Run nvidia-smi on the node and load the kernel module; where it is loaded, give the pod its /dev/nvidia*: chart value gpuAccess.mode=runtimeClass or hostDriver.',
  },
  DRIVER_VERSION_MISMATCH: {
    retryable: false,
    hint: "Where nvidia-smi works on the node, delete the agent's pod: its library is from before an upgrade. Else reload the kernel module or reboot the node.",
  },
  DRIVER_ACCESS_DENIED: {
    retryable: false,
    hint: 'Give the pod access to /dev/nvidiactl and /dev/nvidia*: chart value gpuAccess.mode=runtimeClass or dra, or hostDriver, which makes the container privileged.',
  },
  DRIVER_FAILED: { retryable: false, hint: "Look for Xid and NVRM lines in the node's kernel log." },
  DRIVER_NOT_RESPONDING: {
    retryable: false,
    hint: "Look for Xid 79, 119 or 120 in the node's kernel log; drain the node and reboot it.",
  },

  AGENT_STARTING: { retryable: true, hint: 'Call again in a second.' },
  AGENT_BUSY: { retryable: true, hint: 'Too many calls at once: call again in a second.' },
  AGENT_LACKS_TOOL: {
    retryable: false,
    hint: "The agent is older than the bridge: update the agents' DaemonSet.",
  },
  AGENT_UNAUTHORIZED: { retryable: false, hint: "Give the agent's bearer token by --token-file." },
  AGENT_FORBIDDEN: {
    retryable: false,
    hint: 'The agent takes other Host names only: ask it at its loopback address, or see --allowed-hosts of the agent.',
  },
  NODE_TIMEOUT: {
    retryable: true,
    hint: 'Call again with this node in `nodes` to wait for it, or look at its pod.',
  },
  NODE_UNREACHABLE: {
    retryable: true,
    hint: "Look at the agent's pod on this node (kubectl describe pod), or at the URL given by --node.",
  },
  NODE_CERTIFICATE: {
    retryable: false,
    hint: "Set NODE_EXTRA_CA_CERTS to the file of the CA that signed the agents' certificates (for a host: in the env of its MCP server entry).",
  },
  AGENT_NOT_EXPOSED: {
    retryable: false,
    hint: "The agents listen on their pods' loopback only: helm upgrade with expose.enabled=true, or leave --transport out.",
  },
  NODE_BAD_ANSWER: { retryable: true, hint: "Read the log of the agent's pod on this node: kubectl logs." },

  KUBECONFIG_NOT_FOUND: {
    retryable: false,
    hint: 'Set KUBECONFIG to your kubeconfig (for a host: in the env of its MCP server entry), or name nodes by --node NAME=URL.',
  },
  KUBECONFIG_INVALID: { retryable: false, hint: 'Try: kubectl config view' },
  CONTEXT_NOT_FOUND: { retryable: false, hint: 'Set --context to one of the contexts named.' },
  CREDENTIAL_PLUGIN_FAILED: {
    retryable: false,
    hint: 'Log in as for kubectl; if the program is missing from PATH, add its folder to PATH in the env of the MCP server entry.',
  },
  CLUSTER_UNREACHABLE: { retryable: true, hint: 'Check VPN and proxy; try: kubectl get --raw /version' },
  CLUSTER_CERTIFICATE: {
    retryable: false,
    hint: 'Set certificate-authority in the kubeconfig, or NODE_EXTRA_CA_CERTS in the env of the MCP server entry.',
  },
  CLUSTER_PLAIN_HTTP: {
    retryable: false,
    hint: 'Use an https:// server; for kubectl proxy set insecure-skip-tls-verify: true on the cluster.',
  },
  CLUSTER_UNAUTHORIZED: {
    retryable: false,
    hint: 'Log in again as for kubectl: the login has expired, or is none of this cluster.',
  },
  CLUSTER_FORBIDDEN: { retryable: false, hint: 'Ask for the right that is named; README has the roles.' },
  NO_AGENTS: {
    retryable: false,
    hint: 'Install the agents (helm install k8s-gpu-mcp ./chart --namespace gpu-mcp --create-namespace), or set --namespace and --selector to where they are.',
  },
  AGENTS_AMBIGUOUS: { retryable: false, hint: 'Set --namespace or --selector to choose one.' },
  INTERNAL: { retryable: false, hint: 'A defect of ours: report it with the log line.' },
} as const satisfies Record<string, { retryable: boolean; hint: string }>;

export type FaultCode = keyof typeof faults;

/** The only error this product throws on purpose. */
export class Fault extends Error {
  override readonly name = 'Fault';
  readonly code: FaultCode;

  /** @param message what happened, with names and numbers; the hint says what to do, neither repeats the code */
  constructor(message: string, { code, cause }: { code: FaultCode; cause?: unknown }) {
    super(message, { cause });
    this.code = code;
  }

  get retryable(): boolean {
    return faults[this.code].retryable;
  }

  get hint(): string {
    return faults[this.code].hint;
  }

  /** For the rims: turns whatever was thrown into a Fault, keeping it as the cause. */
  static from(thrown: unknown): Fault {
    if (thrown instanceof Fault) return thrown;
    return new Fault(thrown instanceof Error ? thrown.message : String(thrown), {
      code: 'INTERNAL',
      cause: thrown,
    });
  }
}

/** True for a code of ours; an agent's answer may carry one that this version does not know. */
export function isFaultCode(code: unknown): code is FaultCode {
  return typeof code === 'string' && Object.hasOwn(faults, code);
}
