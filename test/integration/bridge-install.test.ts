import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { parse as parseToml } from 'smol-toml';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';

import { tools } from '../../src/tools/index.ts';
import { runBridge } from '../support/bridge-process.ts';
import { bridgeEntry } from '../support/build.ts';
import { desktopEnvironment, type Entry, listTools, startAsHost } from '../support/desktop-host.ts';

let home: string;
beforeAll(() => {
  home = mkdtempSync(join(tmpdir(), 'install-'));
});
afterAll(() => rmSync(home, { recursive: true, force: true }));

const toolsListed = { result: { tools: tools.map(({ name }) => ({ name })) } };

function install(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  return runBridge(onTestFinished, { args, env: { ...desktopEnvironment(home), KUBECONFIG: '', ...env } });
}

describe('from a clone', () => {
  test('Claude Desktop starts what was written, and the demo answers', async () => {
    const { code, stdout } = await install(['install', 'claude-desktop', '--demo']);
    const file = join(home, '.config/Claude/claude_desktop_config.json');
    const entry: Entry = JSON.parse(readFileSync(file, 'utf8')).mcpServers['k8s-gpu-mcp-demo'];

    const health = { method: 'tools/call', params: { name: 'get_gpu_health', arguments: {} } };
    const answers = await startAsHost(onTestFinished, { entry, home, calls: [listTools, health] });

    expect(code).toBe(0);
    expect(stdout).toContain(file);
    expect(entry.args[0]).toBe(bridgeEntry);
    expect(answers[0]).toMatchObject(toolsListed);
    expect(JSON.stringify(answers[1])).toContain('partial: 3 of 4 GPU nodes answered');
  });

  test('Codex starts what was written, with the flags that were given', async () => {
    const args = ['--context', 'my prod', '--timeout', '10s', 'install', 'codex'];
    await install(args, { KUBECONFIG: 'kube/config' });
    const { mcp_servers: servers } = parseToml(readFileSync(join(home, '.codex/config.toml'), 'utf8'));
    const entry = (servers as Record<string, unknown>)['k8s-gpu-mcp'] as Entry;

    const answers = await startAsHost(onTestFinished, { entry, home, calls: [listTools] });

    expect(entry.env).toMatchObject({
      K8S_GPU_MCP_CONTEXT: 'my prod',
      K8S_GPU_MCP_TIMEOUT: '10s',
      KUBECONFIG: join(process.cwd(), 'kube/config'),
    });
    expect(answers[0]).toMatchObject(toolsListed);
  });

  test('a file that cannot be parsed is named with its line, and left alone', async () => {
    const file = join(home, '.cursor/mcp.json');
    mkdirSync(dirname(file));
    writeFileSync(file, '{\n  "mcpServers": {\n}');

    const { code, stdout, stderr } = await install(['install', 'cursor']);

    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(/mcp\.json, line 3: .*; nothing was changed\. .*install --print/);
    expect(readdirSync(dirname(file))).toEqual(['mcp.json']);
  });

  test('a token is not written, only where it lies', async () => {
    const token = join(home, 'token');
    writeFileSync(token, 's3cret\n');

    const { stdout } = await install([
      '--namespace',
      'gpu',
      '--token-file',
      token,
      'install',
      'vscode',
      '--print',
    ]);

    expect(JSON.parse(stdout)).toMatchObject({
      servers: { 'k8s-gpu-mcp': { type: 'stdio', env: { K8S_GPU_MCP_TOKEN_FILE: token } } },
    });
    expect(stdout).not.toContain('s3cret');
  });
});

test('a bridge that serves has read nothing of this: it is in a file that is loaded when asked for', () => {
  const dist = dirname(bridgeEntry);
  const loaded = new Set<string>();
  for (const queue = ['main.js']; queue.length > 0; ) {
    const file = queue.pop() ?? '';
    if (loaded.has(file)) continue;
    loaded.add(file);
    const text = readFileSync(join(dist, file), 'utf8');
    for (const [, name = ''] of text.matchAll(/(?:from|import)"\.\/(chunk-[\w-]+\.js)"/g)) queue.push(name);
  }
  const texts = [...loaded].map((file) => readFileSync(join(dist, file), 'utf8'));

  expect(texts.join('')).not.toContain('claude_desktop_config.json');
  expect(readdirSync(dist).some((file) => file.endsWith('.js') && !loaded.has(file))).toBe(true);
});
