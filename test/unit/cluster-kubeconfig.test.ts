import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { loadKubeconfig } from '../../src/bridge/cluster/kubeconfig.ts';

const folder = mkdtempSync(join(tmpdir(), 'kubeconfig-'));
afterAll(() => rmSync(folder, { recursive: true }));

let count = 0;
function write(content: string | object, name = `config-${++count}`): string {
  const path = join(folder, name);
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content));
  return path;
}

interface Parts {
  context?: object;
  cluster?: object;
  user?: object | null;
  current?: string;
  name?: string;
}

function config({
  context = {},
  cluster = {},
  user = { token: 't' },
  name = 'a',
  current = name,
}: Parts = {}): object {
  return {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name, cluster: { server: `https://${name}.example.com/`, ...cluster } }],
    users: user ? [{ name, user }] : [],
    contexts: [{ name, context: { cluster: name, ...(user ? { user: name } : {}), ...context } }],
    'current-context': current,
  };
}

function load(
  KUBECONFIG?: string,
  { context, ...env }: { context?: string; [name: string]: string | undefined } = {},
) {
  const machine = { env: { KUBECONFIG, ...env }, homeDir: join(folder, 'home'), platform: process.platform };
  return loadKubeconfig(machine, context);
}

const fault = (code: string, message: RegExp) =>
  expect.objectContaining({ code, message: expect.stringMatching(message) });

test('of several files the first that has a name, or a current context, wins', () => {
  const first = write(config({ name: 'a', cluster: { server: 'https://first' } }));
  const second = write({
    ...config({ name: 'a', cluster: { server: 'https://second' } }),
    'current-context': 'b',
  });
  const third = write(config({ name: 'b' }));
  const list = [join(folder, 'absent'), write(''), first, second, third].join(delimiter);

  expect(load(list)).toMatchObject({ context: 'a', namespace: 'default' });
  expect(load(list).config.getCurrentCluster()?.server).toBe('https://first');
  expect(load(list, { context: 'b' }).config.getCurrentCluster()?.server).toBe('https://b.example.com');
});

test('without KUBECONFIG it is ~/.kube/config', () => {
  mkdirSync(join(folder, 'home', '.kube'), { recursive: true });
  write(config({ name: 'home', context: { namespace: 'mine' } }), join('home', '.kube', 'config'));

  expect(load()).toMatchObject({ context: 'home', namespace: 'mine' });
  expect(load('~/.kube/config')).toMatchObject({ context: 'home' });
  rmSync(join(folder, 'home', '.kube', 'config'));
});

test('no file: the paths are named', () => {
  expect(() => load()).toThrow(
    fault(
      'KUBECONFIG_NOT_FOUND',
      /^no kubeconfig: KUBECONFIG is not set, .*home.\.kube.config does not exist/,
    ),
  );
  expect(() => load(`/x/one${delimiter}/x/two`)).toThrow(
    fault('KUBECONFIG_NOT_FOUND', /^KUBECONFIG is \/x\/one, \/x\/two, and no such file exists/),
  );
});

test.for<[string, string, RegExp]>([
  [
    'broken YAML',
    'users:\n  - name: a\n    user: {token: hunter2}\n   bad: hunter2\n',
    /line 4: bad indentation/,
  ],
  ['something else', '<html>hunter2</html>', /it is not a kubeconfig$/],
  ['a list', '- hunter2', /it is not a kubeconfig$/],
])('%s: file and reason are named, and no line of it is quoted', ([, content, reason]) => {
  const path = write(content);

  expect(() => load(path)).toThrow(
    expect.not.objectContaining({ message: expect.stringContaining('hunter2') }),
  );
  expect(() => load(path)).toThrow(reason);
});

test('a wrong context names those there are', () => {
  expect(() => load(write(config({ name: 'prod' })), { context: 'x' })).toThrow(
    fault('CONTEXT_NOT_FOUND', /there is no context "x" in .*; there are prod$/),
  );
  expect(() => load(write(config({ name: 'prod' })), { context: 'prd' })).toThrow(
    fault('CONTEXT_NOT_FOUND', /there is no context "prd" in .* \(did you mean prod\?\); there are prod$/),
  );
  expect(() => load(write(config({ current: '' })))).toThrow(
    fault('CONTEXT_NOT_FOUND', /no context is current/),
  );
});

test.for(['', 'apiVersion: v1\nkind: Config\n'])('%j names no context, so none can be chosen', (content) => {
  expect(() => load(write(content))).toThrow(fault('KUBECONFIG_INVALID', /names no context/));
});

test('a folder is called one', () => {
  expect(() => load(folder)).toThrow(fault('KUBECONFIG_INVALID', /^cannot use .*: it is a folder$/));
});

test('a context whose cluster or user does not exist is named', () => {
  expect(() => load(write(config({ context: { cluster: 'x' } })))).toThrow(
    fault('KUBECONFIG_INVALID', /context a names cluster x/),
  );
  expect(() => load(write(config({ context: { user: 'x' } })))).toThrow(
    fault('KUBECONFIG_INVALID', /context a names user x/),
  );
});

test('a broken entry of another context does no harm', () => {
  const content = config() as { clusters: object[]; contexts: object[] };
  content.clusters.push({ name: 'broken' });
  content.contexts.push({ context: {} });

  expect(load(write(content))).toMatchObject({ context: 'a' });
});

test('http:// needs a word of consent, and without a user keeps it', async () => {
  const server = 'http://someone:secret@127.0.0.1:8001';

  expect(() => load(write(config({ cluster: { server } })))).toThrow(
    fault('CLUSTER_PLAIN_HTTP', /at http:\/\/127.0.0.1:8001: without TLS/),
  );
  const allowed = load(write(config({ cluster: { server, 'insecure-skip-tls-verify': true }, user: null })));
  const options: { rejectUnauthorized?: boolean } = {};
  await allowed.config.applyToHTTPSOptions(options);
  expect(options.rejectUnauthorized).toBe(false);
});

test('the proxy of the environment is used unless the kubeconfig has one', () => {
  const env = { HTTPS_PROXY: 'http://proxy:1', NO_PROXY: 'b.example.com' };
  const proxyOf = (path: string) => load(path, env).config.getCurrentCluster()?.proxyUrl;

  expect(proxyOf(write(config()))).toBe('http://proxy:1');
  expect(proxyOf(write(config({ cluster: { 'proxy-url': 'http://own:1' } })))).toBe('http://own:1');
  expect(proxyOf(write(config({ name: 'b' })))).toBeUndefined();
});

test('tokenFile, which the library does not know, is read anew for each login, relative to the kubeconfig', async () => {
  write('from-file', 'token');
  const { config: loaded } = load(write(config({ user: { tokenFile: 'token' } })));
  const options: { headers?: Record<string, string> } = {};

  await loaded.applyToHTTPSOptions(options);

  expect(options.headers).toEqual({ Authorization: 'Bearer from-file' });
});

test('a plugin and certificates with a relative path lie beside the kubeconfig', () => {
  const { config: loaded } = load(
    write(config({ cluster: { 'certificate-authority': 'ca.crt' }, user: { exec: { command: './login' } } })),
  );

  expect(loaded.getCurrentUser()?.exec.command).toBe(join(folder, 'login'));
  expect(loaded.getCurrentCluster()?.caFile).toBe(join(folder, 'ca.crt'));
});
