import { spawnSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import manifest from '../../package.json' with { type: 'json' };
import { toolRequest } from '../support/agent-client.ts';
import { buildahIn, whyNoBuildah } from '../support/buildah.ts';
import {
  buildAgents,
  type ImageLayout,
  koffiAddon,
  neededBy,
  openImage,
  packImage,
  runInside,
  whyNoImage,
} from '../support/image.ts';
import { buildFakeNvml, h100, writeFakeNvml } from '../support/nvml/fake-nvml.ts';

const version = manifest.version;
const name = `ghcr.io/k8s-gpu-mcp/k8s-gpu-mcp:${version}`;
const labels = {
  'org.opencontainers.image.title': 'k8s-gpu-mcp',
  'org.opencontainers.image.description':
    'The agent of k8s-gpu-mcp: it answers for the GPUs of the node it runs on.',
  'org.opencontainers.image.licenses': 'Apache-2.0',
  'org.opencontainers.image.version': version,
};
const runs = { Entrypoint: ['/agent'], User: '65532:65532' };
const git = (...args: string[]) => spawnSync('git', args, { encoding: 'utf8' }).stdout?.trim();
const revision = git('status', '--porcelain') === '' && {
  'org.opencontainers.image.revision': git('rev-parse', 'HEAD'),
};
const noImage = whyNoImage();
const noRoot = process.getuid?.() === 0 ? undefined : 'a root of its own needs root';
const noAmd64 = process.arch === 'x64' ? undefined : 'this machine runs no amd64 program';
const folder = mkdtempSync(join(tmpdir(), 'k8s-gpu-mcp-image-test-'));
const archive = join(folder, 'image.tar');

afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe.skipIf(noImage)(`npm run image ${noImage ?? ''}`, () => {
  let layout: ImageLayout;
  let said: string;

  beforeAll(() => {
    buildAgents();
    const { stdout, stderr, status } = packImage(['--output', archive]);
    if (status !== 0) throw new Error(stderr);
    said = stdout;
    layout = openImage(archive, join(folder, 'layout'));
  });

  const imageOf = (architecture: string) => {
    const image = layout.images.find(({ platform }) => platform?.['architecture'] === architecture);
    if (!image) throw new Error(`no image for ${architecture}`);
    return image;
  };

  const unpacked = (architecture: string) => {
    const to = join(folder, architecture);
    if (!existsSync(to)) layout.unpack(imageOf(architecture), to);
    return to;
  };

  test('one name stands for an image of each architecture', () => {
    expect(layout.named).toMatchObject({
      mediaType: 'application/vnd.oci.image.index.v1+json',
      annotations: { 'io.containerd.image.name': name, 'org.opencontainers.image.ref.name': version },
    });
    expect(layout.images.map(({ platform }) => platform)).toEqual([
      { os: 'linux', architecture: 'amd64' },
      { os: 'linux', architecture: 'arm64', variant: 'v8' },
    ]);
  });

  test.for(['amd64', 'arm64'])('the image for %s is whole, labelled and starts the agent', (architecture) => {
    const image = imageOf(architecture);

    const config = layout.config(image);

    expect(config).toMatchObject({
      os: 'linux',
      architecture,
      created: '1970-01-01T00:00:00.000Z',
      config: runs,
      rootfs: { type: 'layers', diff_ids: layout.diffIds(image) },
    });
    expect(config['config']).toHaveProperty('Labels', { ...labels, ...revision });
    expect(layout.manifest(image).layers.map(({ mediaType }) => mediaType)).toEqual(
      Array(2).fill('application/vnd.oci.image.layer.v1.tar+gzip'),
    );
  });

  test('it says how much each architecture has to pull', () => {
    const [amd64, arm64] = layout.images.map((image) => {
      const { config, layers } = layout.manifest(image);
      return layers.reduce((sum, { size }) => sum + size, config.size);
    });

    expect(said).toContain(`linux/amd64: ${((amd64 ?? 0) / 1e6).toFixed(1)} MB compressed`);
    expect(said).toContain(`linux/arm64: ${((arm64 ?? 0) / 1e6).toFixed(1)} MB compressed`);
  });

  test('the same files are the same image, packed alone or with the other', () => {
    const alone = join(folder, 'alone.tar');

    const { status, stderr } = packImage(['--arch', 'amd64', '--output', alone]);

    expect(status, stderr).toBe(0);
    expect(openImage(alone, join(folder, 'alone')).images).toEqual([imageOf('amd64')]);
  });

  test.for([
    ['amd64', 'x64'],
    ['arm64', 'arm64'],
  ] as const)(
    'each library that something in the image for %s asks for is in it',
    ([architecture, processor]) => {
      const root = unpacked(architecture);
      const [triplet = ''] = readdirSync(join(root, 'usr/lib')).filter((path) => path.endsWith('-linux-gnu'));
      const libraries = readdirSync(join(root, 'usr/lib', triplet));
      const files = [
        join(root, 'agent'),
        koffiAddon(processor),
        ...libraries.map((library) => join(root, 'usr/lib', triplet, library)),
      ];

      const asked = new Set(files.flatMap(neededBy));

      expect(asked.size).toBeGreaterThan(5);
      expect([...asked].filter((library) => !libraries.includes(library))).toEqual([]);
      const loader = /interpreter: (.*)\]/.exec(
        spawnSync('readelf', ['-lW', join(root, 'agent')], { encoding: 'utf8' }).stdout,
      );
      expect(statSync(join(root, loader?.[1] ?? 'none')).isFile()).toBe(true);
    },
  );

  test('the licence of each part is in it, and scanners find the packages', () => {
    const root = unpacked('arm64');

    const packages = readdirSync(join(root, 'var/lib/dpkg/status.d'));

    expect(packages).toEqual(['base-files', 'gcc-12-base', 'libc6', 'libgcc-s1', 'libstdc++6']);
    for (const part of [...packages, 'k8s-gpu-mcp'])
      expect(readFileSync(join(root, 'usr/share/doc', part, 'copyright'), 'utf8')).toMatch(/licen[cs]e/i);
  });

  describe.skipIf(noRoot ?? noAmd64)(`in a root of only these files ${noRoot ?? noAmd64 ?? ''}`, () => {
    const inventory = JSON.stringify(toolRequest('get_gpu_inventory').body);

    test('the agent starts', () => {
      const { stdout, stderr } = runInside(unpacked('amd64'), ['/agent', '--version']);

      expect(stdout.trim(), stderr).toBe(version);
    });

    test('it answers for simulated GPUs', () => {
      const { stdout, stderr } = runInside(
        unpacked('amd64'),
        ['/agent', '--oneshot=1', '--nvml-mode', 'simulated'],
        { input: `${inventory}\n` },
      );

      expect(JSON.parse(stdout).result.content[0].text, stderr).toContain('NVIDIA');
    });

    test('it asks the driver whose library lies where NVIDIA’s container runtime puts it', () => {
      const root = join(folder, 'with-driver');
      layout.unpack(imageOf('amd64'), root);
      copyFileSync(buildFakeNvml(), join(root, 'usr/lib/x86_64-linux-gnu/libnvidia-ml.so.1'));
      mkdirSync(join(root, 'driver'));
      writeFakeNvml(join(root, 'driver/config'), {
        driverVersion: '580.126.20',
        gpus: [h100(0), h100(1)],
      });

      const { stdout, stderr } = runInside(root, ['/agent', '--oneshot=1'], {
        input: `${inventory}\n`,
        env: { FAKE_NVML_CONFIG: '/driver/config' },
      });

      expect(JSON.parse(stdout).result.content[0].text, stderr).toContain('2 × NVIDIA H100');
    });
  });

  const noBuildah = whyNoBuildah();
  describe.skipIf(noBuildah)(`Dockerfile ${noBuildah ?? ''}`, () => {
    test.for([
      ['amd64', 'x64'],
      ['arm64', 'arm64'],
    ] as const)('it puts the agent for %s on the base it is given', ([architecture, processor]) => {
      const built = join(folder, `built-${architecture}.tar`);

      buildahIn(join(folder, `buildah-${architecture}`)).build(
        `linux/${architecture}`,
        { BASE: `oci-archive:${archive}`, VERSION: '1.2.3' },
        built,
      );

      const result = openImage(built, join(folder, `built-${architecture}`));
      const root = join(folder, `built-root-${architecture}`);
      const [image = result.named] = result.images;
      result.unpack(image, root);
      expect(readFileSync('Dockerfile', 'utf8')).toMatch(/^USER 65532:65532$/m); // its base here says it too
      expect(result.config(image)).toMatchObject({
        architecture,
        config: { ...runs, Labels: { ...labels, 'org.opencontainers.image.version': '1.2.3' } },
      });
      const program = readFileSync(join(root, 'agent'));
      expect(
        program.equals(readFileSync(join(import.meta.dirname, `../../dist/agent-linux-${processor}`))),
      ).toBe(true);
    });
  });
});

test('a machine without apt-get is told what to do instead', () => {
  const { status, stderr } = packImage(['--output', archive], {
    PATH: folder,
    K8S_GPU_MCP_CACHE: join(folder, 'no-cache'),
  });

  expect({ status, stderr }).toEqual({
    status: 1,
    stderr:
      "image: apt-get is needed for the image's base, Debian's libc6: use Debian or Ubuntu, or the Dockerfile\n",
  });
});

test('an architecture that is not there is told, with those that are', () => {
  const { status, stderr } = packImage(['--arch', 'sparc']);

  expect({ status, stderr }).toEqual({
    status: 1,
    stderr: 'image: --arch sparc is unknown; allowed are amd64, arm64\n',
  });
});
