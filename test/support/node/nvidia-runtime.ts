import { spawnSync } from 'node:child_process';
import { chmodSync, closeSync, copyFileSync, mkdirSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import process from 'node:process';

import type { FakeNvmlConfig } from '../nvml/fake-config.ts';
import { buildFakeNvml, h100, readCalls, writeFakeNvml } from '../nvml/fake-nvml.ts';
import type { Driver } from './nvidia-spec.ts';

const bun = join(import.meta.dirname, '../../../node_modules/.bin/bun');
const editor = join(import.meta.dirname, 'nvidia-runtime-edit.ts');
const triplet = process.arch === 'arm64' ? 'aarch64-linux-gnu' : 'x86_64-linux-gnu';

/** Of the node the driver opens in a container; NVML opens the same. */
export const deviceNode = '/dev/nvidiactl';

/** A node's NVIDIA driver and container runtime: the C fake, and a wrapper of runc. */
export interface NvidiaRuntime {
  /** The program to register with containerd as the handler `nvidia`. */
  readonly program: string;
  /** As a driver lies on a node, with `usr/lib` and `dev`: a root for containers that mount the driver themselves. */
  readonly driverRoot: string;
  /** The folder that has to be `/run/fake-nvml` in such containers. */
  readonly configFolder: string;
  /** Changes what the driver says from now on: the values given, two healthy H100 for the others. */
  write(values: Partial<FakeNvmlConfig>): void;
  /** Every call of a driver's function so far, whatever container made it. */
  calls(): ReturnType<typeof readCalls>;
}

/**
 * Makes one in a folder. The device it opens is one that no container may open unless a rule of its own says so.
 *
 * @param folder on a file system that has device nodes
 * @param runc what is run in the end, with all arguments and the environment
 * @throws Error where there is no root, or no such device
 */
export function nvidiaRuntime(folder: string, runc: string): NvidiaRuntime {
  const driverRoot = join(folder, 'driver');
  const configFolder = join(folder, 'config');
  const library = `/usr/lib/${triplet}/libnvidia-ml.so.1`;
  for (const path of [dirname(join(driverRoot, library)), join(driverRoot, 'dev'), configFolder])
    mkdirSync(path, { recursive: true });
  writeFileSync(join(configFolder, 'calls'), '');
  chmodSync(join(configFolder, 'calls'), 0o666); // non-root containers count their calls too
  copyFileSync(buildFakeNvml(), join(driverRoot, library));
  const driver: Driver = {
    library: join(driverRoot, library),
    libraryInContainer: library,
    folder: configFolder,
    device: { path: deviceNode, ...makeDevice(join(driverRoot, deviceNode)) },
  };
  const write: NvidiaRuntime['write'] = (values) =>
    writeFakeNvml(join(configFolder, 'config'), {
      driverVersion: '580.126.20',
      cudaVersion: 13_000,
      gpus: [h100(0), h100(1)],
      deviceNode,
      countCalls: '/run/fake-nvml/calls',
      ...values,
    });
  write({});
  return {
    program: wrapper(folder, runc, driver),
    driverRoot,
    configFolder,
    write,
    calls: () => readCalls(join(configFolder, 'calls')),
  };
}

/** runc itself replaces the shell: containerd waits for it, and its child becomes containerd's. */
function wrapper(folder: string, runc: string, driver: Driver): string {
  const settings = join(folder, 'nvidia-runtime.json');
  const program = join(folder, 'nvidia-runtime');
  writeFileSync(settings, JSON.stringify(driver));
  const script = `#!/bin/sh
previous= creates= bundle=.
for argument; do
  case $previous in --bundle | -b) bundle=$argument ;; esac
  if [ "$argument" = create ]; then creates=yes; fi
  previous=$argument
done
if [ "$creates" ]; then '${bun}' '${editor}' '${settings}' "$bundle" >&2 || exit 1; fi
exec '${runc}' "$@"
`;
  writeFileSync(program, script, { mode: 0o755 });
  return program;
}

/** Those that kernels commonly have, that opening changes nothing of, and that no runtime allows by itself. */
const spare = [
  { major: 10, minor: 237 }, // loop-control
  { major: 10, minor: 229 }, // fuse
  { major: 10, minor: 235 }, // autofs
] as const;

function makeDevice(path: string): (typeof spare)[number] {
  const reasons: string[] = [];
  for (const device of spare) {
    rmSync(path, { force: true });
    const numbers = [String(device.major), String(device.minor)];
    const { status, stderr } = spawnSync('mknod', ['-m', '666', path, 'c', ...numbers], { encoding: 'utf8' });
    if (status !== 0) throw new Error(`no device node can be made: ${stderr}`);
    try {
      closeSync(openSync(path, 'r+'));
      return device;
    } catch (error) {
      reasons.push(`${numbers.join(':')}: ${(error as Error).message}`);
    }
  }
  throw new Error(`this kernel has none of the devices that could stand for a GPU: ${reasons.join('; ')}`);
}
