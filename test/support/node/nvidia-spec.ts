/** What a container is given of the fake driver. */
export interface Driver {
  /** The library on the node. */
  readonly library: string;
  /** Where containers find it: a folder that the loader searches. */
  readonly libraryInContainer: string;
  /** The folder on the node with the fake's configuration; it is `/run/fake-nvml` in containers. */
  readonly folder: string;
  readonly device: { readonly path: string; readonly major: number; readonly minor: number };
}

/** An OCI runtime's config.json, as far as it is changed here. */
export interface RuntimeSpec {
  readonly process?: { readonly env?: readonly string[] };
  readonly mounts?: readonly object[];
  readonly linux?: {
    readonly devices?: readonly object[];
    readonly resources?: { readonly devices?: readonly object[] };
  };
}

/**
 * The container with the driver in it, as NVIDIA's container runtime would start it: its library, its device node, and
 * the rule by which the device cgroup lets it be opened. One that does not ask by NVIDIA_VISIBLE_DEVICES is left as it
 * is. Unlike the real one it hides no GPU that was not asked for.
 */
export function withDriver(spec: RuntimeSpec, driver: Driver): RuntimeSpec {
  if (!asksForGpus(spec)) return spec;
  const { path, major, minor } = driver.device;
  const node = { type: 'c', major, minor };
  const { devices = [], resources = {}, ...linux } = spec.linux ?? {};
  return {
    ...spec,
    mounts: [
      ...(spec.mounts ?? []),
      bind(driver.library, driver.libraryInContainer, 'ro'),
      bind(driver.folder, '/run/fake-nvml', 'rw'),
    ],
    linux: {
      ...linux,
      devices: [...devices, { path, ...node, fileMode: 0o666, uid: 0, gid: 0 }],
      resources: {
        ...resources,
        devices: [...(resources.devices ?? []), { allow: true, ...node, access: 'rw' }],
      },
    },
  };
}

function asksForGpus({ process }: RuntimeSpec): boolean {
  const prefix = 'NVIDIA_VISIBLE_DEVICES=';
  const asked = process?.env?.findLast((variable) => variable.startsWith(prefix))?.slice(prefix.length);
  return !['', 'void', 'none', undefined].includes(asked);
}

function bind(source: string, destination: string, access: 'ro' | 'rw'): object {
  return { source, destination, type: 'bind', options: ['rbind', 'nosuid', 'nodev', access] };
}
