/** Pod and DaemonSet both carry it; `--selector` is ANDed with it. */
export const agentLabel = 'k8s-gpu-mcp/agent=true';
export const modeLabel = 'k8s-gpu-mcp/mode';
/** On a node, with any value: the chart's DaemonSet keeps away from it while it is there. */
export const pausedLabel = 'k8s-gpu-mcp/paused';
export const exposedLabel = 'k8s-gpu-mcp/exposed';
export const tlsServerNameAnnotation = 'k8s-gpu-mcp/tls-server-name';
/** `"true"`: whoever exposed the pod meant it to go without TLS. */
export const plaintextAnnotation = 'k8s-gpu-mcp/plaintext';

export type Labels = Readonly<Record<string, string>>;

/** The part of `metadata` that discovery reads. */
export interface Identity {
  readonly uid: string;
  readonly name: string;
  /** Empty for what lives in no namespace. */
  readonly namespace: string;
  readonly labels: Labels;
}

/** `metadata` as the API server sends it. */
export interface RawMetadata {
  readonly uid?: string;
  readonly name?: string;
  readonly namespace?: string;
  readonly labels?: Labels;
  readonly annotations?: Labels;
  readonly creationTimestamp?: string;
  readonly deletionTimestamp?: string;
  readonly ownerReferences?: readonly {
    readonly apiVersion?: string;
    readonly kind?: string;
    readonly name?: string;
    readonly uid?: string;
    readonly controller?: boolean;
  }[];
}

export function identify({ uid = '', name = '', namespace = '', labels = {} }: RawMetadata = {}): Identity {
  return { uid, name, namespace, labels };
}

/** `gpu-mcp/agent-x7k2p`, as kubectl and people write it. */
export function fullName({ namespace, name }: { readonly namespace: string; readonly name: string }): string {
  return `${namespace}/${name}`;
}
