// Packs dist/k8s-gpu-mcp.mcpb: what npm installs, and the manifest by which Claude Desktop shows, asks and starts it.
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { strToU8, zipSync } from 'fflate';

import manifest from '../package.json' with { type: 'json' };
import { environmentName } from '../src/core/command-line.ts';
import { tools } from '../src/tools/index.ts';

const root = join(import.meta.dirname, '..');
const entryPoint = manifest.bin['k8s-gpu-mcp'];

/** What the user is asked, all of it optional: the bridge takes what kubectl would. */
const fields = {
  kubeconfig: {
    variable: 'KUBECONFIG',
    type: 'file',
    title: 'Kubeconfig',
    description: 'The kubeconfig of the cluster. Left empty: .kube/config in your home folder.',
  },
  context: {
    variable: environmentName('--context'),
    type: 'string',
    title: 'Context',
    description: 'A context of the kubeconfig. Left empty: the current one.',
  },
  namespace: {
    variable: environmentName('--namespace'),
    type: 'string',
    title: 'Namespace of the agents',
    description: 'Left empty: where they are found.',
  },
};

const bundle = {
  manifest_version: '0.3',
  name: manifest.name,
  display_name: 'Kubernetes GPUs',
  version: manifest.version,
  description: manifest.description,
  author: { name: manifest.author },
  license: manifest.license,
  keywords: manifest.keywords,
  server: {
    type: 'node',
    entry_point: entryPoint,
    mcp_config: {
      command: 'node',
      args: [placeholder('__dirname', `/${entryPoint}`)],
      env: Object.fromEntries(
        Object.entries(fields).map(([name, { variable }]) => [variable, placeholder(`user_config.${name}`)]),
      ),
    },
  },
  tools: tools.map(({ name, description }) => ({ name, description })),
  compatibility: {
    claude_desktop: '>=0.10.0',
    platforms: ['darwin', 'win32', 'linux'],
    runtimes: { node: manifest.engines.node },
  },
  user_config: Object.fromEntries(
    Object.entries(fields).map(([name, { variable: _, ...field }]) => [name, { ...field, required: false }]),
  ),
};

/** What the host puts in: `${__dirname}` and what the user entered. */
function placeholder(name: string, rest = ''): string {
  return `\${${name}}${rest}`;
}

const scripts = readdirSync(join(root, 'dist')).filter((file) => file.endsWith('.js'));
const files = [
  'package.json',
  'README.md',
  'LICENSE',
  'dist/third-party-licences.txt',
  ...scripts.sort().map((file) => `dist/${file}`),
];
const contents = Object.fromEntries(files.map((name) => [name, readFileSync(join(root, name))]));
const archive = zipSync(
  { 'manifest.json': strToU8(`${JSON.stringify(bundle, undefined, 2)}\n`), ...contents },
  { level: 9, mtime: new Date(1980, 0, 1) }, // local, as zip counts: the same files are the same bytes, wherever packed
);
writeFileSync(join(root, 'dist/k8s-gpu-mcp.mcpb'), archive);
const sha256 = createHash('sha256').update(archive).digest('hex');
process.stdout.write(`dist/k8s-gpu-mcp.mcpb: ${(archive.length / 1e6).toFixed(2)} MB, SHA-256 ${sha256}\n`);
