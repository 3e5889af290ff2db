import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';

import { parseConfig as parseBridge } from '../../src/bridge/config.ts';
import { durationFrom, type Environment, environmentName, integerFrom } from '../../src/core/command-line.ts';

const nodeA = { name: 'a', url: new URL('http://127.0.0.1:1') };
const nodeB = { name: 'b', url: new URL('https://[::1]:2/mcp') };

function configOf(argv: readonly string[], environment = {}) {
  const parsed = parseBridge(argv, environment);
  if ('print' in parsed) throw new Error(parsed.print);
  return parsed.config;
}

describe('each flag, by command line and by environment', () => {
  test.for([
    [['--context', 'prod'], { K8S_GPU_MCP_CONTEXT: 'prod' }, { context: 'prod' }],
    [['--namespace', 'gpu'], { K8S_GPU_MCP_NAMESPACE: 'gpu' }, { namespace: 'gpu' }],
    [['--selector', 'a=b'], { K8S_GPU_MCP_SELECTOR: 'a=b' }, { selector: 'a=b' }],
    [['--node', 'a=http://127.0.0.1:1'], { K8S_GPU_MCP_NODE: 'a=http://127.0.0.1:1' }, { nodes: [nodeA] }],
    [
      ['--node', 'a=http://127.0.0.1:1', '--node=b=https://[::1]:2/mcp'],
      { K8S_GPU_MCP_NODE: 'a=http://127.0.0.1:1, b=https://[::1]:2/mcp' },
      { nodes: [nodeA, nodeB] },
    ],
    [['--timeout', '10s'], { K8S_GPU_MCP_TIMEOUT: '10s' }, { limits: { fanOutMs: 10_000 } }],
    [['--transport', 'direct'], { K8S_GPU_MCP_TRANSPORT: 'direct' }, { transport: 'direct' }],
    [['--structured'], { K8S_GPU_MCP_STRUCTURED: 'true' }, { structured: true }],
    [[], { K8S_GPU_MCP_STRUCTURED: 'off' }, { structured: false }],
    [['--log-level', 'debug'], { K8S_GPU_MCP_LOG_LEVEL: 'debug' }, { logLevel: 'debug' }],
  ] as const)('%j', ([argv, environment, expected]) => {
    if (argv.length > 0) expect(configOf(argv)).toMatchObject(expected);
    expect(configOf([], environment)).toMatchObject(expected);
  });

  test('a flag beats the environment, and an empty variable is none', () => {
    expect(configOf(['--context', 'a'], { K8S_GPU_MCP_CONTEXT: 'b' }).context).toBe('a');
    expect(configOf([], { K8S_GPU_MCP_CONTEXT: '' }).context).toBeUndefined();
  });

  // modelcontextprotocol/mcpb#250: a server that took it for a value did not start.
  test('a variable that Claude Desktop left unfilled is none', () => {
    const unfilled = '$' + '{user_config.context}';
    const environment = { K8S_GPU_MCP_CONTEXT: unfilled, K8S_GPU_MCP_NAMESPACE: 'gpu' };

    expect(configOf([], environment)).toMatchObject({ context: undefined, namespace: 'gpu' });
  });

  test('a version in the environment, as images set it, is no flag', () => {
    expect(configOf([], { K8S_GPU_MCP_VERSION: '1.2.3' }).task).toEqual({ kind: 'serve' });
  });
});

test.for([
  [[], { kind: 'serve' }],
  [['call', 'get_gpu_health'], { kind: 'call', tool: 'get_gpu_health', args: [] }],
  [['call', 'x', 'a=1', '{"b":2}'], { kind: 'call', tool: 'x', args: ['a=1', '{"b":2}'] }],
  [['demo'], { kind: 'demo', stdio: false }],
  [['demo', '--stdio'], { kind: 'demo', stdio: true }],
] as const)('%j is the task %j', ([argv, task]) => {
  expect(configOf(argv).task).toEqual(task);
  expect(configOf(['--log-level', 'info', ...argv]).task).toEqual(task);
  expect(configOf([...argv, '--log-level', 'info'])).toMatchObject({ task, logLevel: 'info' });
});

describe('a bad flag is refused in one sentence that names it', () => {
  test.for<[readonly string[], Environment, RegExp]>([
    [['--bogus'], {}, /^there is no flag --bogus; there are (?!.*--stdio).*--context.*--help$/],
    [['demo', '--bogus'], {}, /^there is no flag --bogus; there are --stdio,.*--help$/],
    [['demo', '--stdoi'], {}, /^there is no flag --stdoi \(did you mean --stdio\?\)$/],
    [['--stdio'], {}, /^--stdio is a flag of the command demo: demo --stdio$/],
    [['demo', 'stdio'], {}, /^unexpected argument 'stdio' \(did you mean --stdio\?\)$/],
    [['--context'], {}, /^--context <name> is given without its value$/],
    [['call'], {}, /^the tool is missing: one of get_gpu_inventory, get_gpu_health, [a-z_, ]+$/],
    [['bogus'], {}, /^there is no command bogus; there are call, demo/],
    [['cal'], {}, /^there is no command cal \(did you mean call\?\); there are call, demo/],
    [['help'], {}, /^there is no command help \(did you mean --help\?\)/],
    [['get_gpu_health'], {}, /^get_gpu_health is a tool, and no command: call get_gpu_health$/],
    [['--timeout', '2s'], {}, /--timeout\) \(2000 ms\) must be longer than node \(3000 ms\)/],
    [['--timeout', '3s'], {}, /must be longer/],
    [['--timeout', '60s'], {}, /host \(60000 ms\) must be longer/],
    [
      ['--timeout', 'soon'],
      {},
      /--timeout.*'soon'.*more than 3s and less than 60s, written as 500ms, 10s or 2m/,
    ],
    [['--timeout', '700s'], {}, /more than 3s and less than 60s/],
    [['demo', 'foo'], {}, /unexpected argument 'foo'/],
    [['--transport', 'spdy'], {}, /--transport.*'spdy'.*port-forward, exec, direct/],
    [
      [],
      { EXEC_TIMEOUT: 'soon' },
      /^EXEC_TIMEOUT is 'soon'\. Allowed is 1s to 10m, written as 500ms, 10s or 2m$/,
    ],
    [[], { EXEC_TIMEOUT: '0' }, /^EXEC_TIMEOUT is '0'\. Allowed is 1s to 10m/],
    [['--log-level', 'loud'], {}, /--log-level.*'loud'.*debug, info, warn, error/],
    [['--node', 'a'], {}, /--node.*'a'.*NAME=http\(s\):\/\/HOST:PORT/],
    [['--node', 'a=ftp://x'], {}, /NAME=http/],
    [['--node', '=http://x'], {}, /NAME=http/],
    [['--node', 'a=http://'], {}, /NAME=http/],
    [['--node', 'a=http://x', '--node', 'a=http://y'], {}, /--node names a twice/],
    [
      ['--node', 'a=http://x', '--context', 'c'],
      {},
      /^--node asks no cluster: --context does not go with it$/,
    ],
    [
      ['--node', 'a=http://x'],
      { K8S_GPU_MCP_SELECTOR: 'c' },
      /^--node asks no cluster: K8S_GPU_MCP_SELECTOR does not go with it$/,
    ],
    [[], { K8S_GPU_MCP_TOKEN_FILE: '/x' }, /^K8S_GPU_MCP_TOKEN_FILE needs --namespace or --node/],
    [
      [],
      { K8S_GPU_MCP_CONTXT: 'prod' },
      /^K8S_GPU_MCP_CONTXT means nothing here \(did you mean K8S_GPU_MCP_CONTEXT\?\)$/,
    ],
    [['--token-file', '/etc/hostname'], {}, /--token-file needs --namespace or --node/],
    [
      ['--token-file', '/does/not/exist', '--namespace', 'x'],
      {},
      /^--token-file \/does\/not\/exist cannot be read: there is no such file$/,
    ],
    [[], { K8S_GPU_MCP_TIMEOUT: '1' }, /must be longer/],
    [[], { K8S_GPU_MCP_TIMEOUT: 'x' }, /K8S_GPU_MCP_TIMEOUT='x'/],
    [[], { K8S_GPU_MCP_STRUCTURED: 'maybe' }, /K8S_GPU_MCP_STRUCTURED='maybe'.*true or false/],
    [[], { K8S_GPU_MCP_NODE: 'a=http://x,b' }, /K8S_GPU_MCP_NODE='a=http:\/\/x,b'.*NAME=http/],
    [[], { K8S_GPU_MCP_TRANSPORT: 'x' }, /K8S_GPU_MCP_TRANSPORT='x'/],
  ])('%j %j', ([argv, environment, message]) => {
    expect(() => parseBridge(argv, environment)).toThrow(
      expect.objectContaining({ code: 'BAD_FLAG', message: expect.stringMatching(message) }),
    );
    expect(() => parseBridge(argv, environment)).toThrow(/^[^\n]+$/);
  });
});

test('what the environment says of a cluster, of nodes and of a token neither fails the demo nor reaches its nodes', () => {
  const environment = {
    K8S_GPU_MCP_TOKEN_FILE: '/does/not/exist',
    K8S_GPU_MCP_CONTEXT: 'prod',
    K8S_GPU_MCP_NODE: 'a=http://127.0.0.1:1',
  };

  expect(configOf(['demo'], environment)).toMatchObject({ token: undefined, nodes: [], context: undefined });
});

describe('the token file', () => {
  const folder = mkdtempSync(join(tmpdir(), 'k8s-gpu-mcp-token-'));
  const file = join(folder, 'token');
  afterAll(() => rmSync(folder, { recursive: true }));
  const tokenIn = (content: string) => {
    writeFileSync(file, content);
    return configOf(['--namespace', 'x', '--token-file', file]).token;
  };

  test('is read without the line break at its end', () => {
    expect(tokenIn('s3cret-.~+/=\n')).toBe('s3cret-.~+/=');
  });

  test.for(['', '\n \n', 's3cret two', 's3cret\ntwo', 's3crét', 's3cret\u0000'])(
    '%j is no token: the file is named, what is in it is not',
    (content) => {
      expect(() => tokenIn(content)).toThrow(
        expect.objectContaining({
          code: 'BAD_FLAG',
          message: expect.stringContaining(`--token-file ${file} `),
        }),
      );
      expect(() => tokenIn(content)).not.toThrow(/s3cr/);
    },
  );
});

test.for([[['--help']], [['-h']], [['--version']], [['demo', '--help']]] as const)(
  '%j only prints',
  ([argv]) => {
    expect(parseBridge(argv, {})).toEqual({ print: expect.stringMatching(/k8s-gpu-mcp|\d+\.\d+\.\d+/) });
  },
);

test('durations have units; a bare number is seconds', () => {
  const parse = durationFrom(10, 120_000);

  expect(['500ms', '10s', '10', '2m', '1.5s'].map(parse)).toEqual([500, 10_000, 10_000, 120_000, 1500]);
  for (const bad of ['', '9ms', '3m', '-1s', '1h', 's', '1 s', '1e3'])
    expect(() => parse(bad), bad).toThrow('Allowed is');
});

test('whole numbers are whole, and in their range', () => {
  const parse = integerFrom(1, 10);

  expect(parse('10')).toBe(10);
  for (const bad of ['0', '11', '1.5', '-1', '', '0x1', '1e1'])
    expect(() => parse(bad), bad).toThrow('from 1 to 10');
});

test('the name of the variable is that of the flag', () => {
  expect(environmentName('--health-port')).toBe('K8S_GPU_MCP_HEALTH_PORT');
});
