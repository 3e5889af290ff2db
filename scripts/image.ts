// Packs dist/k8s-gpu-mcp-image.tar: an OCI archive of the agent for both architectures, without a container engine and
// without pulling an image. For clusters that pull from nowhere, and for tests; a release is built by the Dockerfile.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { parseArgs } from 'node:util';

import manifest from '../package.json' with { type: 'json' };
import { type Architecture, baseLayer } from './image-base.ts';
import { imageArchive, type Parts } from './image-oci.ts';
import { type Entry, withFolders } from './image-tar.ts';

const root = join(import.meta.dirname, '..');
const repository = 'ghcr.io/k8s-gpu-mcp/k8s-gpu-mcp';
const programs = { amd64: 'agent-linux-x64', arm64: 'agent-linux-arm64' } as const;

try {
  pack();
} catch (error) {
  process.stderr.write(`image: ${error instanceof Error ? error.message : error}\n`);
  process.exitCode = 1;
}

function pack(): void {
  const { architectures, output } = asked();
  const { archive, digest, pulledBytes } = imageArchive(architectures.map(image), {
    name: `${repository}:${manifest.version}`,
    created: new Date(1000 * Number(process.env['SOURCE_DATE_EPOCH'] ?? 0)).toISOString(),
    user: '65532:65532',
    labels: {
      'org.opencontainers.image.title': manifest.name,
      'org.opencontainers.image.description':
        'The agent of k8s-gpu-mcp: it answers for the GPUs of the node it runs on.',
      'org.opencontainers.image.licenses': manifest.license,
      'org.opencontainers.image.version': manifest.version,
      ...revision(),
    },
  });
  writeFileSync(output, archive);
  say(`${relative(root, output)}: ${megabytes(archive.length)}, ${repository}:${manifest.version}@${digest}`);
  for (const { architecture, pulledBytes: bytes } of pulledBytes)
    say(`linux/${architecture}: ${megabytes(bytes)} compressed`);
}

/** The commit, where all files are as it has them. */
function revision(): Record<string, string> {
  const git = (...args: string[]) =>
    spawnSync('git', ['--git-dir', join(root, '.git'), '--work-tree', root, ...args], { encoding: 'utf8' });
  const { status, stdout: changed } = git('status', '--porcelain');
  if (status !== 0 || changed !== '') return {};
  return { 'org.opencontainers.image.revision': git('rev-parse', 'HEAD').stdout.trim() };
}

function asked(): { architectures: readonly Architecture[]; output: string } {
  const { values } = parseArgs({ options: { arch: { type: 'string' }, output: { type: 'string' } } });
  const { arch, output = join(root, 'dist/k8s-gpu-mcp-image.tar') } = values;
  const all = Object.keys(programs) as Architecture[];
  const architectures = all.filter((architecture) => arch === undefined || arch === architecture);
  if (architectures.length === 0) throw new Error(`--arch ${arch} is unknown; allowed are ${all.join(', ')}`);
  return { architectures, output };
}

function image(architecture: Architecture): Parts {
  const { entries, packages } = baseLayer(architecture);
  const versions = packages.map(({ name, version }) => `${name} ${version}`).join(', ');
  say(`linux/${architecture} stands on ${versions}`);
  return {
    architecture,
    layers: [
      { createdBy: `Debian's ${versions}`, entries },
      { createdBy: `k8s-gpu-mcp ${manifest.version}`, entries: agentLayer(architecture) },
    ],
  };
}

function agentLayer(architecture: Architecture): Entry[] {
  const program = join(root, 'dist', programs[architecture]);
  if (!existsSync(program)) throw new Error(`${relative(root, program)} is missing: npm run build -- --all`);
  return withFolders([
    { path: 'agent', file: readFileSync(program), mode: 0o755 },
    { path: 'usr/share/doc/k8s-gpu-mcp/copyright', file: readFileSync(join(root, 'LICENSE')) },
  ]);
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
