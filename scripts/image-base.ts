import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';

import { cacheDirectory } from '../test/support/cache.ts';
import { type Entry, withFolders } from './image-tar.ts';

export type Architecture = 'amd64' | 'arm64';

interface Package {
  readonly name: string;
  readonly version: string;
  /** What dpkg knows of it: the text by which scanners of images find it. */
  readonly control: string;
}

/** Where a program looks for the loader, and where Debian keeps the libraries. */
const places = {
  amd64: { triplet: 'x86_64-linux-gnu', loader: 'lib64/ld-linux-x86-64.so.2' },
  arm64: { triplet: 'aarch64-linux-gnu', loader: 'lib/ld-linux-aarch64.so.1' },
} as const satisfies Record<Architecture, object>;

/** Of these the files are. `etc/debian_version` tells NVIDIA's container runtime which folder libraries belong in. */
const packages = ['base-files', 'libc6', 'libgcc-s1', 'libstdc++6'];

/** What the agent, koffi's addon in it, and NVIDIA's library ask for; the loader comes by its own path. */
const libraries = [
  'libc.so.6',
  'libdl.so.2',
  'libgcc_s.so.1',
  'libm.so.6',
  'libpthread.so.0',
  'librt.so.1',
  'libstdc++.so.6',
];

const accounts = {
  passwd: 'root:x:0:0:root:/root:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/nonexistent:/sbin/nologin\n',
  group: 'root:x:0:\nnonroot:x:65532:\n',
};

/**
 * The layer below the agent: the C and C++ runtime of this machine's Debian, and what a runtime mounts over.
 *
 * @throws Error with a sentence for the user where Debian's tools or packages are not to be had
 */
export function baseLayer(architecture: Architecture): { entries: Entry[]; packages: Package[] } {
  const folder = fetched(architecture);
  const unpacked = mkdtempSync(join(tmpdir(), 'k8s-gpu-mcp-image-'));
  try {
    const debs = readdirSync(folder).sort();
    for (const deb of debs) run('dpkg-deb', ['-x', join(folder, deb), unpacked]);
    const known = debs.map((deb) => described(join(folder, deb)));
    return {
      entries: withFolders([...skeleton(architecture), ...taken(unpacked, architecture, known)]),
      packages: known,
    };
  } finally {
    rmSync(unpacked, { recursive: true, force: true });
  }
}

/** Folders that a container's runtime needs, and the links by which /lib is /usr/lib, as Debian has it. */
function skeleton(architecture: Architecture): Entry[] {
  const { triplet, loader } = places[architecture];
  const file = basename(loader);
  return [
    ...['dev', 'proc', 'root', 'run', 'sys', 'var'].map((path): Entry => ({ path, folder: true })),
    { path: 'tmp', folder: true, mode: 0o1777 }, // Bun unpacks koffi's addon into it
    { path: 'lib', link: 'usr/lib' },
    { path: 'lib64', link: 'usr/lib64' },
    { path: 'usr/lib64', folder: true },
    {
      path: `usr/${loader}`,
      link: loader.startsWith('lib64/') ? `../lib/${triplet}/${file}` : `${triplet}/${file}`,
    },
    { path: 'etc/os-release', link: '../usr/lib/os-release' },
    { path: 'etc/passwd', file: Buffer.from(accounts.passwd) },
    { path: 'etc/group', file: Buffer.from(accounts.group) },
  ];
}

function taken(unpacked: string, architecture: Architecture, known: readonly Package[]): Entry[] {
  const { triplet, loader } = places[architecture];
  const file = (path: string, mode = 0o644): Entry => ({
    path,
    file: readFileSync(join(unpacked, path)),
    mode,
  });
  return [
    file('etc/debian_version'),
    file('usr/lib/os-release'),
    ...[basename(loader), ...libraries].map(
      (name): Entry => ({
        path: `usr/lib/${triplet}/${name}`,
        file: readFileSync(libraryIn(unpacked, triplet, name)),
        mode: 0o755,
      }),
    ),
    ...known.map(
      ({ name, control }): Entry => ({ path: `var/lib/dpkg/status.d/${name}`, file: Buffer.from(control) }),
    ),
    ...known.map(({ name }): Entry => {
      const target = linkAt(join(unpacked, 'usr/share/doc', name));
      const path = `usr/share/doc/${name}`;
      return target === undefined ? file(`${path}/copyright`) : { path, link: target };
    }),
  ];
}

/** Debian 12 has some libraries in /lib and others in /usr/lib; later ones have all of them in /usr/lib. */
function libraryIn(unpacked: string, triplet: string, name: string): string {
  const path = ['lib', 'usr/lib'].map((place) => join(unpacked, place, triplet, name)).find(existsSync);
  if (path === undefined) throw new Error(`${packages.join(', ')}: none of them has ${name}`);
  return path;
}

function linkAt(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined; // a folder
  }
}

function described(deb: string): Package {
  const control = run('dpkg-deb', ['-f', deb]);
  const field = (name: string) => new RegExp(`^${name}: (.*)$`, 'm').exec(control)?.[1] ?? '';
  return {
    name: field('Package'),
    version: field('Version'),
    control: `${control.trimEnd()}\nStatus: install ok unpacked\n`,
  };
}

/** The folder of the packages: kept from an earlier time, or by apt-get. Delete it to have newer ones. */
function fetched(architecture: Architecture): string {
  const folder = join(cacheDirectory, `debian-${architecture}`);
  if (existsSync(folder)) return folder;
  mkdirSync(cacheDirectory, { recursive: true });
  const fresh = mkdtempSync(join(cacheDirectory, '.debian-'));
  try {
    const debs = download(fresh, architecture);
    renameSync(debs, folder);
  } catch (cause) {
    if (existsSync(folder)) return folder; // another process was faster
    throw cause;
  } finally {
    rmSync(fresh, { recursive: true, force: true });
  }
  return folder;
}

/**
 * The sources and keys are the system's, so signatures are checked as ever; lists and state are a folder of ours, so
 * that another architecture works, nobody need be root, and the system stays as it is.
 */
function download(work: string, architecture: Architecture): string {
  const [state, cache, debs] = ['state', 'cache', 'debs'].map((name) => join(work, name)) as [
    string,
    string,
    string,
  ];
  for (const path of [join(state, 'lists/partial'), join(cache, 'archives/partial'), debs])
    mkdirSync(path, { recursive: true });
  writeFileSync(join(state, 'status'), '');
  const settings = {
    'APT::Architecture': architecture,
    'APT::Architectures': architecture,
    'Dir::State': state,
    'Dir::State::status': join(state, 'status'),
    'Dir::Cache': cache,
    'Acquire::Languages': 'none',
    'Acquire::IndexTargets::deb::DEP-11::DefaultEnabled': 'false',
  };
  const options = Object.entries(settings).flatMap(([name, value]) => ['-o', `${name}=${value}`]);
  run('apt-get', [...options, 'update'], debs);
  run('apt-get', [...options, 'download', ...packages], debs);
  const libgcc = readdirSync(debs).find((deb) => deb.startsWith('libgcc-s1_')) ?? '';
  run('dpkg-deb', ['-x', join(debs, libgcc), join(work, 'libgcc')]);
  // The copyright of GCC's libraries is in a package that is named after GCC's version.
  run('apt-get', [...options, 'download', readlinkSync(join(work, 'libgcc/usr/share/doc/libgcc-s1'))], debs);
  return debs;
}

function run(program: string, args: readonly string[], cwd?: string): string {
  try {
    return execFileSync(program, args, { cwd, encoding: 'utf8', stdio: 'pipe' });
  } catch (cause) {
    const { code, stderr } = cause as { code?: string; stderr?: string };
    if (code === 'ENOENT')
      throw new Error(
        `${program} is needed for the image's base, Debian's libc6: use Debian or Ubuntu, or the Dockerfile`,
        { cause },
      );
    throw new Error(`${program} ${args.at(-1)}: ${stderr?.trim()}`, { cause });
  }
}
