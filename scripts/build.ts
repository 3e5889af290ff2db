// Builds dist/: the bridge, and the agent for this machine's or (--all) every architecture. Run by Bun.
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { embeddedKoffi, evaluatedAtBuild, jsoncParserAsModules, withoutAjv } from './bundling.ts';
import { thirdPartyLicences } from './third-party.ts';

const root = join(import.meta.dirname, '..');
const dist = join(root, 'dist');
const { version: koffiVersion } = JSON.parse(
  readFileSync(join(root, 'node_modules/koffi/package.json'), 'utf8'),
);

const wanted = new Set(process.argv.slice(2));
const unknown = [...wanted].filter((flag) => !['--all', '--bridge', '--agent'].includes(flag));
if (unknown.length > 0) {
  process.stderr.write(`build: unknown flag ${unknown.join(' ')}; allowed are --all, --bridge, --agent\n`);
  process.exit(2);
}
if (!wanted.has('--agent')) await buildBridge();
if (!wanted.has('--bridge')) await buildAgent('x64');
if (wanted.has('--all')) await buildAgent('arm64');

/** Split, so that answering `initialize` parses nothing of Kubernetes. */
async function buildBridge(): Promise<void> {
  const fresh = await inFolder(async (folder) => {
    const { metafile } = await Bun.build({
      entrypoints: [join(root, 'src/bridge/main.ts')],
      metafile: true,
      outdir: folder,
      target: 'node',
      minify: true,
      splitting: true,
      naming: { entry: '[name].[ext]', chunk: 'chunk-[hash].[ext]' },
      plugins: [withoutAjv, evaluatedAtBuild, jsoncParserAsModules],
    });
    const modules = Object.values(metafile?.outputs ?? {}).flatMap(({ inputs }) => Object.keys(inputs));
    writeFileSync(join(folder, 'third-party-licences.txt'), thirdPartyLicences(root, modules));
    copyFileSync(join(root, 'src/bridge/launch.js'), join(folder, 'bridge.js'));
    chmodSync(join(folder, 'bridge.js'), 0o755);
  });
  const stale = readdirSync(dist).filter((file) => file.endsWith('.js') && !fresh.includes(file));
  for (const file of stale) rmSync(join(dist, file), { force: true });
  const scripts = fresh.filter((file) => file.endsWith('.js'));
  const bytes = scripts.reduce((sum, file) => sum + statSync(join(dist, file)).size, 0);
  say(`dist/bridge.js and its chunks: ${(bytes / 1e6).toFixed(2)} MB`);
}

/** One file, with Bun, koffi's addon and both entries in it: the program, and the Worker that calls NVML. */
async function buildAgent(architecture: 'x64' | 'arm64'): Promise<void> {
  const name = `agent-linux-${architecture}`;
  await inFolder(async (folder) => {
    await Bun.build({
      entrypoints: [join(root, 'src/server/main.ts'), join(root, 'src/server/nvml/worker.ts')],
      compile: { target: `bun-linux-${architecture}`, outfile: join(folder, name) },
      minify: true,
      bytecode: true, // else parsing takes a third of the time to ready
      format: 'esm', // as CommonJS, bytecode's default, the worker is looked for where its source was at the build
      plugins: [withoutAjv, evaluatedAtBuild, embeddedKoffi(koffiAddon(architecture))],
    });
  });
  const note = architecture === process.arch ? '' : ', not executed here: built for another processor';
  say(`dist/${name}: ${(statSync(join(dist, name)).size / 1e6).toFixed(0)} MB${note}`);
}

/** Builds beside dist/ and moves the files in at the end: a program that runs from dist/ never sees half of one. */
async function inFolder(build: (folder: string) => Promise<void>): Promise<string[]> {
  mkdirSync(dist, { recursive: true });
  const folder = mkdtempSync(join(dist, '.build-'));
  try {
    await build(folder);
    const files = readdirSync(folder);
    for (const file of files) renameSync(join(folder, file), join(dist, file));
    return files;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** npm installs the addon of this machine only; that of another comes by `npm pack`. */
function koffiAddon(architecture: string): string {
  const inPackage = `linux_${architecture}/koffi.node`;
  const installed = join(root, `node_modules/@koromix/koffi-linux-${architecture}`, inPackage);
  if (existsSync(installed)) return installed;
  const kept = join(root, 'node_modules/.cache', `koffi-${koffiVersion}-linux-${architecture}`);
  if (!existsSync(join(kept, 'package', inPackage))) {
    const folder = mkdtempSync(join(tmpdir(), 'koffi-'));
    const name = `@koromix/koffi-linux-${architecture}@${koffiVersion}`;
    execFileSync('npm', ['pack', '--silent', '--pack-destination', folder, name], {
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    mkdirSync(kept, { recursive: true });
    execFileSync('tar', ['-xzf', join(folder, readdirSync(folder)[0] ?? ''), '-C', kept]);
    rmSync(folder, { recursive: true });
  }
  return join(kept, 'package', inPackage);
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
