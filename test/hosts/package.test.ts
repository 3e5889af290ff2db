import { execFile, execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';

import { initialize, startBridge } from '../support/bridge-process.ts';
import { freshClone } from '../support/fresh-clone.ts';
import { type NodeVersion, nodeVersions, npmPrograms, whyNoPrograms } from '../support/npm-programs.ts';

const whyNot = whyNoPrograms();

describe.skipIf(whyNot)(`the npm package${whyNot ? ` (skipped: ${whyNot})` : ''}`, () => {
  const folder = mkdtempSync(join(tmpdir(), 'k8s-gpu-mcp-package-'));
  const tarball = join(folder, 'k8s-gpu-mcp.tgz');
  let registry: Awaited<ReturnType<typeof refusingRegistry>>;
  afterAll(() => {
    registry.close();
    rmSync(folder, { recursive: true, force: true });
  });

  beforeAll(async () => {
    registry = await refusingRegistry();
    const clone = join(folder, 'clone');
    freshClone(clone);
    // What another build may have left in dist/, and what is built for nodes, is not for those who install this.
    mkdirSync(join(clone, 'dist'));
    for (const name of ['chunk-of-yesterday.js', 'agent-linux-x64'])
      writeFileSync(join(clone, 'dist', name), '');
    const node = npmPrograms.node('20.18.1');
    const pack = [npmPrograms.entry('npm'), 'pack', '--loglevel=error', '--pack-destination', folder];
    const env = { PATH: `${dirname(node)}:/usr/bin:/bin`, HOME: folder };
    const printed = execFileSync(node, pack, { cwd: clone, env, encoding: 'utf8' });
    const [name = ''] = /\S+\.tgz$/.exec(printed.trim()) ?? [];
    symlinkSync(name, tarball);
  }, 120_000);

  test('packed in a fresh clone, it has the bridge, freshly built, and nothing that the bridge does not use', () => {
    const files = execFileSync('tar', ['-tzf', tarball], { encoding: 'utf8' }).trim().split('\n').sort();
    const scripts = files.filter((file) => /^package\/dist\/[\w-]+\.js$/.test(file));
    const text = scripts.map((file) => contentOf(tarball, file)).join('\n');

    expect(files.filter((file) => !scripts.includes(file))).toEqual([
      'package/LICENSE',
      'package/README.md',
      'package/dist/third-party-licences.txt',
      'package/package.json',
    ]);
    expect(contentOf(tarball, 'package/dist/third-party-licences.txt')).toMatch(
      /^undici 7\.30\.2 \(MIT\)\n\nMIT License\n/m,
    );
    expect(scripts).toContain('package/dist/bridge.js');
    expect(scripts.filter((file) => !/bridge\.js$/.test(file) && !text.includes(basename(file)))).toEqual([]);
  });

  test('it is small, and installing it installs nothing else and runs nothing', () => {
    const manifest = JSON.parse(contentOf(tarball, 'package/package.json'));

    expect(statSync(tarball).size).toBeLessThan(1_500_000);
    for (const kind of ['dependencies', 'optionalDependencies', 'peerDependencies'])
      expect(manifest).not.toHaveProperty(kind);
    for (const script of ['preinstall', 'install', 'postinstall', 'prepare'])
      expect(manifest.scripts).not.toHaveProperty(script);
  });

  describe.for(nodeVersions)('by npx, without a network, on Node %s', (version) => {
    let place: ReturnType<typeof emptyPlace>;
    beforeAll(() => {
      place = emptyPlace(join(folder, version), { version, registry: registry.url });
    });
    const args = ['--package', tarball, 'k8s-gpu-mcp', 'demo'];

    test('it shows the demo from an empty folder with an empty home', async () => {
      const { npx, options } = place;
      const [node, ...first] = npx;
      const { stdout } = await promisify(execFile)(node, [...first, ...args], options);

      expect(stdout).toContain('partial: 3 of 4 GPU nodes answered');
      expect(registry.asked).toEqual([]);
    });

    test('it is an MCP server', async () => {
      const { npx, options } = place;
      const bridge = startBridge(onTestFinished, { program: npx, args: [...args, '--stdio'], ...options });

      await initialize(bridge);
      const listed = await bridge.ask('tools/list');
      const called = await bridge.ask('tools/call', { name: 'get_gpu_health', arguments: {} });
      bridge.child.stdin?.end();

      expect(listed).toMatchObject({
        result: { tools: expect.arrayContaining([expect.objectContaining({ name: 'get_gpu_health' })]) },
      });
      expect(called).toMatchObject({
        result: { content: [{ text: expect.stringMatching(/^partial: 3 of 4/) }] },
      });
      expect(await bridge.exit).toEqual({ code: 0, signal: null });
      expect(bridge.messages.filter((message) => 'garbage' in message)).toEqual([]);
      expect(registry.asked).toEqual([]);
    });
  });
});

function contentOf(tarball: string, file: string): string {
  return execFileSync('tar', ['-xzOf', tarball, file], { encoding: 'utf8', maxBuffer: 16 * 1024 * 1024 });
}

/** An empty working folder, an empty home, and a PATH on which this Node is the only one. */
function emptyPlace(place: string, { version, registry }: { version: NodeVersion; registry: string }) {
  const [bin, home, cwd] = ['bin', 'home', 'work'].map((name) => join(place, name)) as [
    string,
    string,
    string,
  ];
  for (const made of [bin, home, cwd]) mkdirSync(made, { recursive: true });
  symlinkSync(npmPrograms.node(version), join(bin, 'node'));
  symlinkSync('/bin/sh', join(bin, 'sh'));
  const env = {
    PATH: bin,
    HOME: home,
    npm_config_registry: registry,
    // npm's own questions, whatever is installed: whether there is a newer npm, and whether anything is known of it.
    npm_config_update_notifier: 'false',
    npm_config_audit: 'false',
  };
  const npx: [string, ...string[]] = [join(bin, 'node'), npmPrograms.entry('npx'), '-y'];
  return { npx, options: { cwd, env } };
}

/** A registry that refuses everything, and notes what it was asked for. */
async function refusingRegistry() {
  const asked: string[] = [];
  const server = createServer(({ url = '' }, response) => {
    asked.push(url);
    response.writeHead(404).end();
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}/`, asked, close: () => void server.close() };
}
