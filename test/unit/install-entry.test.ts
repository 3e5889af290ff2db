import { describe, expect, test } from 'vitest';

import { type HostName, hostNames, parseConfig } from '../../src/bridge/config.ts';
import { difference } from '../../src/bridge/install/difference.ts';
import { entryFor, type Program, serverName } from '../../src/bridge/install/entry.ts';
import { hosts, type Machine } from '../../src/bridge/install/hosts.ts';
import { version } from '../../src/version.ts';

const linux: Machine = { env: {}, homeDir: '/home/me', platform: 'linux', windowsPackages: [] };
const mac: Machine = { env: {}, homeDir: '/Users/me', platform: 'darwin', windowsPackages: [] };
const windows: Machine = { env: {}, homeDir: 'C:\\Users\\me', platform: 'win32', windowsPackages: [] };

const nvm = '/home/me/.nvm/versions/node/v22.1.0/bin';
const packaged: Program = {
  script: '/home/me/.npm/_npx/1a2b/node_modules/k8s-gpu-mcp/dist/bridge.js',
  folder: nvm,
  node: `${nvm}/node`,
  npx: `${nvm}/npx`,
  isFirstOnPath: false,
};
const cloned: Program = { ...packaged, script: '/home/me/src/k8s-gpu-mcp/dist/bridge.js' };
const wish = { demo: false, variables: {}, cwd: '/home/me/work' };

function entry(
  machine: Machine,
  changes: Partial<typeof wish> = {},
  program = packaged,
  host: HostName = 'cursor',
) {
  return entryFor(hosts[host], program, machine, { ...wish, ...changes });
}

describe('the command', () => {
  test('of an installed package is npx beside the Node that runs now, at our version', () => {
    expect(entry(linux)).toMatchObject({ command: `${nvm}/npx`, args: ['-y', `k8s-gpu-mcp@${version}`] });
  });

  test('is npx by name where none lies beside Node', () => {
    expect(entry(linux, {}, { ...packaged, npx: undefined })).toMatchObject({ command: 'npx' });
  });

  test('of a clone is this Node and this file', () => {
    expect(entry(linux, {}, cloned)).toMatchObject({ command: `${nvm}/node`, args: [cloned.script] });
  });

  test.for([packaged, cloned])('serves the demo, under a name of its own', (program) => {
    const { args } = entry(linux, { demo: true }, program);

    expect(args.slice(-2)).toEqual(['demo', '--stdio']);
    expect([serverName({ demo: false }), serverName({ demo: true })]).toEqual([
      'k8s-gpu-mcp',
      'k8s-gpu-mcp-demo',
    ]);
  });

  test('on Windows is plain npx, as hosts start batch files; Claude Code does not', () => {
    const program = { ...packaged, script: 'C:\\x\\node_modules\\k8s-gpu-mcp\\dist\\bridge.js' };
    const commands = hostNames.map((host) => entry(windows, {}, program, host));

    expect(commands.map(({ command, args }) => [command, ...args].join(' '))).toEqual(
      hostNames.map((host) => `${host === 'claude-code' ? 'cmd /c ' : ''}npx -y k8s-gpu-mcp@${version}`),
    );
    for (const { env } of commands) expect(env).toBeUndefined();
  });
});

describe('PATH', () => {
  test('has this Node first where the terminal would find another, and the usual folders last', () => {
    const { env } = entry({ ...mac, env: { PATH: '/opt/old/bin:/usr/bin' } });

    expect(env?.['PATH']).toBe(`${nvm}:/opt/old/bin:/usr/bin:/usr/local/bin:/bin:/usr/sbin:/sbin`);
  });

  test('keeps the order of the terminal where that leads to this Node: a login plugin is found as there', () => {
    const path = `/home/me/.local/bin:${nvm}:/usr/bin`;

    const { env } = entry({ ...linux, env: { PATH: path } }, {}, { ...packaged, isFirstOnPath: true });

    expect(env?.['PATH']).toMatch(new RegExp(`^${path}:`));
  });

  test('lacks what npm and a relative habit put in', () => {
    const path = '/home/me/x/node_modules/.bin:.::bin:/usr/lib/node_modules/npm/node-gyp-bin:/usr/bin';

    const { env } = entry({ ...linux, env: { PATH: path } });

    expect(env?.['PATH']).toBe(`${nvm}:/usr/bin:/usr/local/bin:/bin:/usr/sbin:/sbin`);
  });
});

describe('KUBECONFIG', () => {
  test('is written with absolute paths, each of a list', () => {
    const { env } = entry({ ...linux, env: { KUBECONFIG: 'a/config:~/b::/c' } });

    expect(env).toMatchObject({ KUBECONFIG: '/home/me/work/a/config:/home/me/b:/c' });
  });

  test('is a list by semicolons on Windows', () => {
    const machine = { ...windows, env: { KUBECONFIG: 'a;D:\\kube\\config' } };

    const { env } = entry(machine, { cwd: 'C:\\work' });

    expect(env).toEqual({ KUBECONFIG: 'C:\\work\\a;D:\\kube\\config' });
  });

  test.for([{}, { KUBECONFIG: '' }])('is left out where there is none', (env) => {
    expect(entry({ ...linux, env }).env).not.toHaveProperty('KUBECONFIG');
  });

  test('does not reach the demo', () => {
    const machine = { ...linux, env: { KUBECONFIG: '/c' } };

    expect(entry(machine, { demo: true }).env).not.toHaveProperty('KUBECONFIG');
  });
});

test('what else a terminal sets for us goes into the entry: the time for an exec, and whom certificates are trusted from', () => {
  const env = { EXEC_TIMEOUT: '30s', NODE_EXTRA_CA_CERTS: 'ca.crt', OTHER: 'x' };

  expect(entry({ ...linux, env }).env).toMatchObject({
    EXEC_TIMEOUT: '30s',
    NODE_EXTRA_CA_CERTS: '/home/me/work/ca.crt',
  });
  expect(entry({ ...linux, env }).env).not.toHaveProperty('OTHER');
  expect(Object.keys(entry({ ...linux, env }, { demo: true }).env ?? {})).toEqual(['PATH']);
});

test('the path of a token file becomes absolute', () => {
  const { env } = entry(linux, { variables: { K8S_GPU_MCP_TOKEN_FILE: 'token' } });

  expect(env).toMatchObject({ K8S_GPU_MCP_TOKEN_FILE: '/home/me/work/token' });
});

describe('flags', () => {
  function variables(argv: readonly string[], environment = {}): unknown {
    const parsed = parseConfig(argv, environment);
    return 'config' in parsed && parsed.config.task.kind === 'install' && parsed.config.task.variables;
  }

  test('before and behind the command become variables, as they were written', () => {
    const said = variables(['--context', 'my prod', 'install', 'cursor', '--timeout', '10s', '--structured']);

    expect(said).toEqual({
      K8S_GPU_MCP_CONTEXT: 'my prod',
      K8S_GPU_MCP_TIMEOUT: '10s',
      K8S_GPU_MCP_STRUCTURED: 'true',
    });
  });

  test('that can be repeated become a list', () => {
    const said = variables(['--node', 'a=http://a:1', '--node', 'b=http://b:2', 'install', 'cursor']);

    expect(said).toEqual({ K8S_GPU_MCP_NODE: 'a=http://a:1,b=http://b:2' });
  });

  test('beat variables; others of ours are taken over, and those of others are not', () => {
    const environment = {
      K8S_GPU_MCP_CONTEXT: 'a',
      K8S_GPU_MCP_LOG_LEVEL: 'info',
      HTTPS_PROXY: 'http://u:p@x',
    };

    expect(variables(['--context', 'b', 'install', 'codex'], environment)).toEqual({
      K8S_GPU_MCP_CONTEXT: 'b',
      K8S_GPU_MCP_LOG_LEVEL: 'info',
    });
  });

  test('that say where do not reach the demo', () => {
    const environment = { K8S_GPU_MCP_CONTEXT: 'a', K8S_GPU_MCP_TOKEN_FILE: '/does/not/exist' };

    expect(variables(['--log-level', 'info', 'install', 'codex', '--demo'], environment)).toEqual({
      K8S_GPU_MCP_LOG_LEVEL: 'info',
    });
  });

  test.for([
    [
      'an unknown host',
      ['install', 'emacs'],
      'there is no host emacs; there are claude-desktop, claude-code, cursor',
    ],
    ['a host that is mistyped', ['install', 'vs-code'], 'there is no host vs-code (did you mean vscode?)'],
    ['no host', ['install'], 'the host is missing: claude-desktop or claude-code or cursor'],
    ['two hosts', ['install', 'cursor', 'codex'], "unexpected argument 'codex'"],
    [
      'an unknown flag',
      ['install', 'cursor', '--force'],
      'there is no flag --force; there are --demo, --print',
    ],
    ['a flag that is wrong', ['--timeout', 'soon', 'install', 'cursor'], '--timeout'],
    [
      'flags that exclude each other',
      ['--node', 'a=http://a', '--context', 'b', 'install', 'cursor'],
      '--node asks',
    ],
    [
      'what no variable can say',
      ['--node', 'a=http://a/,b', 'install', 'cursor'],
      "K8S_GPU_MCP_NODE='a=http://a/,b'",
    ],
  ] as const)('%s is refused', ([, argv, said]) => {
    expect(() => parseConfig(argv, {})).toThrow(said);
  });
});

test('a difference marks the lines that only one text has', () => {
  expect(difference(['{', 'a', 'b', '}'], ['{', 'a', 'c', 'd', '}'])).toEqual([
    '  {',
    '  a',
    '- b',
    '+ c',
    '+ d',
    '  }',
  ]);
  expect(difference([], ['a'])).toEqual(['+ a']);
  expect(difference(['a', 'a'], ['a'])).toEqual(['  a', '- a']);
});
