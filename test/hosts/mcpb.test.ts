import { execFileSync } from 'node:child_process';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';

import { initialize, startBridge } from '../support/bridge-process.ts';
import { freshClone } from '../support/fresh-clone.ts';
import { type NodeVersion, npmPrograms, whyNoPrograms } from '../support/npm-programs.ts';

interface Manifest {
  readonly version: string;
  readonly tools: readonly { readonly name: string; readonly description: string }[];
}

/** The part of the bundle's own library by which Claude Desktop makes a command of a manifest. */
interface HostCode {
  getMcpConfigForManifest(options: {
    readonly manifest: Manifest;
    readonly extensionPath: string;
    readonly systemDirs: Readonly<Record<string, string>>;
    readonly userConfig: Readonly<Record<string, string>>;
    readonly pathSeparator: string;
  }): Promise<{
    readonly command: string;
    readonly args: readonly string[];
    readonly env: Readonly<Record<string, string>>;
  }>;
}

const whyNot = whyNoPrograms();

describe.skipIf(whyNot)(`the .mcpb bundle${whyNot ? ` (skipped: ${whyNot})` : ''}`, () => {
  const folder = mkdtempSync(join(tmpdir(), 'k8s-gpu-mcp-bundle-'));
  const [home, clone, unpacked] = ['home', 'clone', 'unpacked'].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ];
  let manifest: Manifest;
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  beforeAll(() => {
    mkdirSync(home);
    freshClone(clone);
    const node = npmPrograms.node('20.18.1');
    const env = { PATH: `${dirname(node)}:/usr/bin:/bin`, HOME: home };
    execFileSync(node, [npmPrograms.entry('npm'), 'run', '--silent', 'mcpb'], { cwd: clone, env });
    mcpb('unpack', join(clone, 'dist/k8s-gpu-mcp.mcpb'), unpacked);
    manifest = JSON.parse(readFileSync(join(unpacked, 'manifest.json'), 'utf8'));
  }, 120_000);

  /** As the host starts it for a user who entered this: the host's environment is bare, and its Node is this one. */
  async function startInstalled(
    version: NodeVersion,
    entered: Readonly<Record<string, string>>,
    args: readonly string[] = [],
  ) {
    const library = join(dirname(realpathSync(npmPrograms.entry('mcpb'))), '../shared/config.js');
    const { getMcpConfigForManifest }: HostCode = await import(library);
    const {
      command,
      args: first,
      env,
    } = await getMcpConfigForManifest({
      manifest,
      extensionPath: unpacked,
      systemDirs: { HOME: home },
      userConfig: entered,
      pathSeparator: '/',
    });
    expect(command).toBe('node');
    const bridge = startBridge(onTestFinished, {
      program: [npmPrograms.node(version), ...first],
      args,
      cwd: home,
      env: { HOME: home, ...env },
    });
    return { bridge, env };
  }

  test('is small, and valid for the tool of its makers', () => {
    expect(statSync(join(clone, 'dist/k8s-gpu-mcp.mcpb')).size).toBeLessThan(1_500_000);
    expect(mcpb('validate', unpacked)).toContain('validation passes');
  });

  test('holds its manifest and what npm installs, byte for byte', () => {
    const files = readdirSync(unpacked, { recursive: true, encoding: 'utf8' })
      .filter((name) => statSync(join(unpacked, name)).isFile())
      .filter((name) => name !== 'manifest.json');
    const dist = readdirSync(join(clone, 'dist')).filter((name) => /\.(js|txt)$/.test(name));

    expect(files.sort()).toEqual(
      ['LICENSE', 'README.md', 'package.json', ...dist.map((n) => `dist/${n}`)].sort(),
    );
    for (const name of files)
      expect(readFileSync(join(unpacked, name)).equals(readFileSync(join(clone, name))), name).toBe(true);
  });

  describe.for(['20.18.1', '24'] as const)('started by the host on Node %s', (version) => {
    test('is what its manifest says', async () => {
      const { bridge } = await startInstalled(version, {});

      expect(await initialize(bridge)).toMatchObject({
        result: { serverInfo: { version: manifest.version } },
      });
      const { result } = await bridge.ask('tools/list');
      const { tools } = result as { tools: Manifest['tools'] };
      expect(tools.map(({ name, description }) => ({ name, description }))).toEqual(manifest.tools);
    });

    test('answers', async () => {
      const { bridge } = await startInstalled(version, {}, ['demo', '--stdio']);

      await initialize(bridge);
      expect(await answer(bridge)).toMatch(/^partial: 3 of 4 GPU nodes answered/);
    });

    // modelcontextprotocol/mcpb#250: the host passes the placeholder itself.
    test('takes a field that was left empty for no value', async () => {
      const { bridge, env } = await startInstalled(version, {});
      expect(Object.values(env).filter((value) => !value.startsWith('$' + '{user_config.'))).toEqual([]);

      await initialize(bridge);
      const text = await answer(bridge);

      expect(text).toMatch(/^KUBECONFIG_NOT_FOUND/);
      expect(text).toContain(join(home, '.kube/config'));
      expect(text).not.toContain('user_config');
    });

    test('takes what the user entered', async () => {
      const kubeconfig = join(folder, 'kubeconfig');
      writeFileSync(kubeconfig, JSON.stringify({ contexts: [{ name: 'a', context: { cluster: 'a' } }] }));
      const { bridge } = await startInstalled(version, { kubeconfig, context: 'prod' });

      await initialize(bridge);
      const text = await answer(bridge);

      expect(text).toContain(`there is no context "prod" in ${kubeconfig}; there are a`);
    });
  });
});

function mcpb(...args: string[]): string {
  return execFileSync(npmPrograms.node('24'), [npmPrograms.entry('mcpb'), ...args], { encoding: 'utf8' });
}

async function answer(bridge: ReturnType<typeof startBridge>): Promise<string> {
  const { result } = await bridge.ask('tools/call', { name: 'get_gpu_health', arguments: {} });
  const { content } = result as { content: [{ text: string }] };
  return content[0].text;
}
