import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';

const root = join(import.meta.dirname, '../..');
const bun = join(root, 'node_modules/.bin/bun');

interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
  readonly platform?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
}

interface Manifest {
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
}

/** An OCI image layout, read anew and not by the code that wrote it. Each blob is checked as it is read. */
export interface ImageLayout {
  /** What its index.json names. */
  readonly named: Descriptor;
  /** One image per platform; where it names no index, the image it names. */
  readonly images: readonly Descriptor[];
  manifest(image: Descriptor): Manifest;
  config(image: Descriptor): Record<string, unknown>;
  /** Digests of the layers as they are unpacked. */
  diffIds(image: Descriptor): string[];
  /** Unpacks the layers into a folder, as a runtime would. */
  unpack(image: Descriptor, folder: string): void;
}

/** Why no image can be packed on this machine, or undefined where one can. */
export function whyNoImage(): string | undefined {
  const missing = ['apt-get', 'dpkg-deb', 'tar', 'readelf'].filter(
    (program) => spawnSync(program, ['--version']).error,
  );
  return missing.length > 0 ? `the image needs ${missing.join(', ')}` : undefined;
}

/** `npm run image`, without building the agents before. */
export function packImage(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  return spawnSync(bun, [join(root, 'scripts/image.ts'), ...args], {
    encoding: 'utf8',
    env: { ...process.env, ...env },
  });
}

/** `npm run build -- --all`, of which the bridge is not needed. */
export function buildAgents(): void {
  execFileSync(bun, [join(root, 'scripts/build.ts'), '--agent', '--all'], { stdio: 'pipe' });
}

export function openImage(archive: string, folder: string): ImageLayout {
  mkdirSync(folder);
  execFileSync('tar', ['-xf', archive, '-C', folder]);
  const read = ({ digest, size }: Descriptor): Buffer => {
    const blob = readFileSync(join(folder, 'blobs', digest.replace(':', '/')));
    if (sha256(blob) !== digest || blob.length !== size) throw new Error(`${digest} has other content`);
    return blob;
  };
  const json = (descriptor: Descriptor) => JSON.parse(read(descriptor).toString());
  const { manifests } = JSON.parse(readFileSync(join(folder, 'index.json'), 'utf8'));
  const [named] = manifests as [Descriptor];
  const manifest = (image: Descriptor): Manifest => json(image);
  return {
    named,
    images: json(named).manifests ?? [named],
    manifest,
    config: (image) => json(manifest(image).config),
    diffIds: (image) => manifest(image).layers.map((layer) => sha256(gunzipSync(read(layer)))),
    unpack(image, to) {
      mkdirSync(to, { recursive: true });
      for (const layer of manifest(image).layers)
        execFileSync('tar', ['-xpzf', '-', '-C', to], { input: read(layer) });
    },
  };
}

/** Libraries that an ELF file asks for by name. */
export function neededBy(path: string): string[] {
  const dynamic = execFileSync('readelf', ['-dW', path], { encoding: 'utf8' });
  return [...dynamic.matchAll(/\(NEEDED\).*\[(.*)\]/g)].map(([, name = '']) => name);
}

/** koffi's addon for a processor, which is embedded in the agent: npm's, or what building for another one has fetched. */
export function koffiAddon(architecture: 'x64' | 'arm64'): string {
  const { version } = JSON.parse(readFileSync(join(root, 'node_modules/koffi/package.json'), 'utf8'));
  const inPackage = `linux_${architecture}/koffi.node`;
  const places = [
    join(root, `node_modules/@koromix/koffi-linux-${architecture}`, inPackage),
    join(root, `node_modules/.cache/koffi-${version}-linux-${architecture}/package`, inPackage),
  ];
  return places.find(existsSync) ?? places[0] ?? '';
}

/**
 * Runs a program in a root of its own, which it cannot write to: /tmp is writable, /proc and /dev are as a container
 * has them, and nothing else is there but the image's files. Needs root.
 */
export function runInside(folder: string, args: readonly string[], { input = '', env = {} } = {}) {
  const script = `set -e
    mount --bind "$0" "$0"
    mount -t proc proc "$0/proc"
    mount -t tmpfs -o size=16m tmpfs "$0/tmp"
    mount -t tmpfs tmpfs "$0/dev"
    mknod -m 666 "$0/dev/null" c 1 3
    mknod -m 666 "$0/dev/urandom" c 1 9
    mount -o remount,bind,ro "$0"
    exec chroot "$0" "$@"`;
  return spawnSync('unshare', ['--mount', '--propagation', 'private', 'sh', '-c', script, folder, ...args], {
    input,
    env: { PATH: process.env['PATH'] ?? '', ...env },
    encoding: 'utf8',
    timeout: 60_000,
  });
}

function sha256(content: Uint8Array): string {
  return `sha256:${createHash('sha256').update(content).digest('hex')}`;
}
