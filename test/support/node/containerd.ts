import { pauseImage } from './image.ts';

export const containerdSocket = '/run/containerd/containerd.sock';

/** containerd's configuration file: its defaults, where they will do. */
export function containerdConfig(of: {
  cni: { readonly plugins: string; readonly folder: string };
  /** Path of the OCI runtime for each handler's name. */
  runtimes: Readonly<Record<string, string>>;
  defaultRuntime: string;
}): string {
  const { cni, runtimes, defaultRuntime } = of;
  const cri = 'plugins."io.containerd.grpc.v1.cri"';
  const handlers = Object.entries(runtimes).map(
    ([name, path]) => `
[${cri}.containerd.runtimes.${name}]
  runtime_type = "io.containerd.runc.v2"
[${cri}.containerd.runtimes.${name}.options]
  BinaryName = "${path}"
  SystemdCgroup = false
`,
  );
  return `version = 2
[${cri}]
  sandbox_image = "${pauseImage}"
  restrict_oom_score_adj = true # or nothing starts where root lacks CAP_SYS_RESOURCE
[${cri}.cni]
  bin_dir = "${cni.plugins}"
  conf_dir = "${cni.folder}"
[${cri}.containerd]
  default_runtime_name = "${defaultRuntime}"
${handlers.join('')}`;
}

/** A bridge in the node's namespace; no masquerading and no host ports, which would need iptables. */
export function cniConfig(podRange: string): object {
  return {
    cniVersion: '0.4.0',
    name: 'pods',
    plugins: [
      {
        type: 'bridge',
        bridge: 'cni0',
        isGateway: true,
        ipam: { type: 'host-local', ranges: [[{ subnet: podRange }]], routes: [{ dst: '0.0.0.0/0' }] },
      },
    ],
  };
}
