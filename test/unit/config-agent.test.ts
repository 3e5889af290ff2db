import { expect, test } from 'vitest';

import { type Config, parseConfig } from '../../src/server/config.ts';
import { httpLimits } from '../../src/server/limits.ts';
import { configOf, file, refusalOf } from '../support/agent-config.ts';

test('without flags it is MCP on stdio, on the real driver, and closed', () => {
  expect(configOf([])).toEqual({
    mode: { kind: 'stdio' },
    exposeAddr: undefined,
    tls: undefined,
    health: undefined,
    kernelLog: false,
    metrics: { gpus: false },
    podResourcesSocket: undefined,
    historyDir: undefined,
    nvml: { mode: 'real', library: undefined },
    scenarioFile: undefined,
    sampleIntervalMs: 10_000,
    tokenFile: undefined,
    token: undefined,
    insecureNoAuth: false,
    allowedHosts: undefined,
    nodeName: undefined,
    logLevel: 'info',
  } satisfies Config);
});

const each: [flags: string[], environment: Record<string, string>, config: object][] = [
  [['--port', '8080'], { PORT: '8080' }, { mode: { kind: 'http', port: 8080, addr: '127.0.0.1' } }],
  [['--port', '0'], { PORT: '0' }, { mode: { kind: 'stdio' } }],
  [
    ['--port', '1', '--addr', '::1'],
    { PORT: '1', ADDR: '::1' },
    { mode: { kind: 'http', port: 1, addr: '::1' } },
  ],
  [
    ['--port', '1', '--health-port', '8081'],
    { PORT: '1', HEALTH_PORT: '8081' },
    { health: { port: 8081, addr: '127.0.0.1' } },
  ],
  [
    ['--port', '1', '--health-port', '8081', '--health-addr', '0.0.0.0'],
    { PORT: '1', HEALTH_PORT: '8081', HEALTH_ADDR: '0.0.0.0' },
    { health: { port: 8081, addr: '0.0.0.0' } },
  ],
  [['--port', '1', '--history-dir', '/h'], { PORT: '1', HISTORY_DIR: '/h' }, { historyDir: '/h' }],
  [
    ['--nvml-mode', 'simulated'],
    { NVML_MODE: 'simulated' },
    { nvml: { mode: 'simulated', library: undefined } },
  ],
  [['--nvml-library', '/x.so'], { NVML_LIBRARY: '/x.so' }, { nvml: { mode: 'real', library: '/x.so' } }],
  [
    ['--nvml-mode', 'simulated', '--scenario', 's.yaml'],
    { NVML_MODE: 'simulated', SCENARIO: 's.yaml' },
    { scenarioFile: 's.yaml' },
  ],
  [['--sample-interval', '250ms'], { SAMPLE_INTERVAL: '250ms' }, { sampleIntervalMs: 250 }],
  [['--sample-interval', '2m'], { SAMPLE_INTERVAL: '2m' }, { sampleIntervalMs: 120_000 }],
  [['--sample-interval', '1.5'], { SAMPLE_INTERVAL: '1.5s' }, { sampleIntervalMs: 1500 }],
  [['--insecure-no-auth'], { INSECURE_NO_AUTH: 'true' }, { insecureNoAuth: true }],
  [
    ['--insecure-no-auth', '--allowed-hosts', 'a', 'b'],
    { INSECURE_NO_AUTH: '1', ALLOWED_HOSTS: 'a, b' },
    { allowedHosts: ['a', 'b'] },
  ],
  [
    ['--port', '1', '--expose-addr', '10.0.0.1', '--insecure-no-auth'],
    { PORT: '1', EXPOSE_ADDR: '10.0.0.1', INSECURE_NO_AUTH: '1' },
    { mode: { kind: 'http', port: 1, addr: '127.0.0.1' }, exposeAddr: '10.0.0.1' },
  ],
  [
    ['--port=1', '--addr=10.0.0.1', '--insecure-no-auth', '--tls-cert-file=/c', '--tls-key-file=/k'],
    { PORT: '1', ADDR: '10.0.0.1', INSECURE_NO_AUTH: '1', TLS_CERT_FILE: '/c', TLS_KEY_FILE: '/k' },
    { tls: { certFile: '/c', keyFile: '/k' } },
  ],
  [
    ['--port=1', '--health-port=2', '--metrics-gpu', '--kernel-log', '--pod-resources-socket', '/run/k.sock'],
    { PORT: '1', HEALTH_PORT: '2', METRICS_GPU: '1', KERNEL_LOG: '1', POD_RESOURCES_SOCKET: '/run/k.sock' },
    { kernelLog: true, metrics: { gpus: true }, podResourcesSocket: '/run/k.sock' },
  ],
  [['--oneshot=2'], { ONESHOT: '2' }, { mode: { kind: 'oneshot', requests: 2, agentPort: undefined } }],
  [['--idle'], { IDLE: 'yes' }, { mode: { kind: 'idle' } }],
  [['--log-level', 'debug'], { LOG_LEVEL: 'debug' }, { logLevel: 'debug' }],
];

test.for(each)('%j can be set by flag and by environment', ([flags, environment, expected]) => {
  const variables = Object.fromEntries(
    Object.entries(environment).map(([name, value]) => [`K8S_GPU_MCP_${name}`, value]),
  );

  expect(configOf(flags)).toMatchObject(expected);
  expect(configOf([], variables)).toMatchObject(expected);
});

test('a flag beats the environment, and an empty variable is none', () => {
  expect(configOf(['--port', '1'], { K8S_GPU_MCP_PORT: '2' }).mode).toMatchObject({ port: 1 });
  expect(configOf(['--log-level', 'info'], { K8S_GPU_MCP_LOG_LEVEL: 'nonsense' }).logLevel).toBe('info');
  expect(configOf([], { K8S_GPU_MCP_PORT: '' }).mode).toEqual({ kind: 'stdio' });
  expect(configOf([], { K8S_GPU_MCP_IDLE: 'false' }).mode).toEqual({ kind: 'stdio' });
});

test('the node is named by NODE_NAME alone', () => {
  expect(configOf([], { NODE_NAME: 'gpu-7', K8S_GPU_MCP_NODE_NAME: 'x' }).nodeName).toBe('gpu-7');
});

test('the token comes from its file, without the line break', () => {
  expect(configOf(['--token-file', file('0123456789abcdef\n')]).token).toBe('0123456789abcdef');
});

test('oneshot and idle beat a port of the environment, and remember it', () => {
  const port = { K8S_GPU_MCP_PORT: '8080' };

  expect(configOf(['--oneshot', '2'], port).mode).toEqual({ kind: 'oneshot', requests: 2, agentPort: 8080 });
  expect(configOf(['--idle'], port).mode).toEqual({ kind: 'idle' });
});

const refused: [argv: string[], sentence: RegExp][] = [
  [['--prot', '8080'], /^BAD_FLAG: there is no flag --prot \(did you mean --port\?\)$/],
  [['--bogus'], /^BAD_FLAG: there is no flag --bogus; there are .*--port, --addr,.*--help$/],
  [['serve'], /unexpected argument 'serve'; the flags are .*--port/],
  [['idle'], /unexpected argument 'idle' \(did you mean --idle\?\)/],
  [['--port'], /--port <number> is given without its value/],
  [['--port', 'http'], /'--port <number>' argument 'http' is invalid.*0 to 65535/],
  [['--port', '65536'], /'65536' is invalid.*0 to 65535/],
  [['--port', '-1'], /'-1' is invalid/],
  [['--health-port', '1e3'], /'--health-port <number>' argument '1e3' is invalid.*0 to 65535/],
  [['--nvml-mode', 'fake'], /'fake' is invalid.*real, simulated/],
  [['--log-level', 'loud'], /'loud' is invalid.*debug, info, warn, error/],
  [['--sample-interval', '5x'], /'5x' is invalid.*10ms to 3600s/],
  [['--sample-interval', '9ms'], /'9ms' is invalid.*10ms to 3600s/],
  [['--oneshot', '0'], /'0' is invalid.*1 to 1000000/],
  [['--oneshot', '1', '--idle'], /--oneshot and --idle exclude each other/],
  [['--oneshot', '1', '--port', '8080'], /--oneshot and --port exclude each other/],
  [['--idle', '--port', '8080'], /--idle and --port exclude each other/],
  [['--scenario', 'x'], /--scenario is only allowed with --nvml-mode simulated/],
  [
    ['--nvml-mode', 'simulated', '--nvml-library', 'x'],
    /--nvml-library is only allowed with --nvml-mode real/,
  ],
  [['--history-dir=/h'], /--history-dir is only allowed with --port: it belongs to the agent that runs/],
  [['--port=1', '--metrics-gpu'], /--metrics-gpu is only allowed with --health-port, which serves/],
  [
    ['--port=1', '--health-port=2', '--nvml-mode=simulated', '--kernel-log'],
    /--kernel-log is only allowed with --nvml-mode real/,
  ],
  [
    ['--token-file', '/nowhere/token'],
    /--token-file \/nowhere\/token cannot be read: there is no such file$/,
  ],
];

test.for(refused)('%j is refused in one sentence that names it and what is allowed', ([argv, sentence]) => {
  const refusal = refusalOf(argv);

  expect(refusal).toMatch(sentence);
  expect(refusal).not.toContain('\n');
});

test.for([
  ['PORT', 'http', /K8S_GPU_MCP_PORT='http' is invalid.*0 to 65535/],
  ['IDLE', 'maybe', /K8S_GPU_MCP_IDLE='maybe' is invalid.*true or false/],
  ['NVML_MODE', 'fake', /K8S_GPU_MCP_NVML_MODE='fake' is invalid.*real, simulated/],
] as const)('a bad K8S_GPU_MCP_%s is named', ([name, value, sentence]) => {
  expect(refusalOf([], { [`K8S_GPU_MCP_${name}`]: value })).toMatch(sentence);
});

test('where Kubernetes tells of a Service named k8s-gpu-mcp, the agent does not take that for its port', () => {
  const { mode } = configOf([], { K8S_GPU_MCP_PORT: 'tcp://10.0.0.1:8080' });

  expect(mode).toEqual({ kind: 'stdio' });
});

test.for(['0123456789abcdef\n0123456789abcdef', '0123456789abcdef €', '0123456789 abcdef', ''])(
  'a token that no header can carry is refused by its file, without being shown: %j',
  (token) => {
    const path = file(token);

    const refusal = refusalOf(['--token-file', path]);

    expect(refusal).toContain(path);
    expect(refusal).toMatch(/one line of visible ASCII characters|holds 0 characters/);
    expect(refusal).not.toContain('0123');
  },
);

test('a short token is refused without being shown', () => {
  const refusal = refusalOf(['--token-file', file('hunter2')]);

  expect(refusal).toMatch(/holds 7 characters; at least 16/);
  expect(refusal).not.toContain('hunter2');
});

test.for([['--help'], ['-h'], ['--version']])('%s prints, and nothing else happens', ([flag]) => {
  expect(parseConfig([flag ?? ''], {})).toEqual({ print: expect.stringMatching(/\S/) });
});

test('the connection outlives the response, and that any client', () => {
  expect(httpLimits.responseMs).toBeGreaterThan(60_000);
  expect(httpLimits.keepAliveMs).toBeGreaterThan(httpLimits.responseMs);
});
