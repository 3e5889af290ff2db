import { createServer, type Server } from 'node:net';
import { afterAll, beforeAll, describe, test } from 'vitest';

import { bareEnvironment, initialize, runBridge, startBridge } from '../support/bridge-process.ts';
import { gpuNode } from '../support/kube-api/objects.ts';
import { type KubeApi, type KubeApiOptions, startKubeApi } from '../support/kube-api/server.ts';
import { kubeconfigs, type Parts, secret } from '../support/kubeconfigs.ts';

const { folder, write, remove } = kubeconfigs();
const ends: (() => unknown)[] = [remove];
afterAll(async () => void (await Promise.all(ends.map((end) => end()))));

const exec = (command: string, more: object = {}) => ({
  exec: { apiVersion: 'client.authentication.k8s.io/v1', interactiveMode: 'Never', command, ...more },
});
/** What a plugin says as it fails, by a shell that stands for it. */
const saying = (words: string) => exec('sh', { args: ['-c', `echo '${words}' >&2; exit 1`] });

interface Case {
  /** Where KUBECONFIG leads. */
  readonly kubeconfig: () => string;
  readonly args?: readonly string[];
  /** One line: the code, what happened with names, what to do. */
  readonly said: RegExp;
  readonly exitCode?: number;
}

const apis: Record<string, KubeApi> = {};
const listen: Record<string, KubeApiOptions> = {
  open: {},
  'with GPU nodes and no agents': { objects: [gpuNode('gpu-1'), gpuNode('gpu-2')] },
  'that allows nothing': { allows: () => false },
};
let silent: Server;
let silentUrl = '';

beforeAll(async () => {
  for (const [name, options] of Object.entries(listen)) {
    const api = await startKubeApi({ accepts: (bearer) => bearer === `Bearer ${secret}`, ...options });
    ends.push(() => api.close());
    apis[name] = api;
  }
  silent = createServer((socket) => void socket.on('error', () => undefined).resume());
  await new Promise<void>((resolve) => void silent.listen(0, '127.0.0.1', resolve));
  ends.push(() => silent.close());
  silentUrl = `https://127.0.0.1:${(silent.address() as { port: number }).port}`;
});

const at = (name: string, parts: Parts = {}) => write({ server: apis[name]?.url ?? '', ...parts });

const cases: Readonly<Record<string, Case>> = {
  'KUBECONFIG names no file': {
    kubeconfig: () => '/home/sre/.kube/gone',
    said: /^KUBECONFIG_NOT_FOUND: KUBECONFIG is \/home\/sre\/\.kube\/gone, and no such file exists, .* Set KUBECONFIG to .*MCP server entry\), or name nodes by --node NAME=URL\.$/,
  },
  'there is no KUBECONFIG': {
    kubeconfig: () => '',
    said: /^KUBECONFIG_NOT_FOUND: no kubeconfig: KUBECONFIG is not set, \/does\/not\/exist\/\.kube\/config does not exist, /,
  },
  'it is a folder': {
    kubeconfig: () => folder,
    said: /^KUBECONFIG_INVALID: cannot use \S+: it is a folder\. Try: kubectl config view$/,
  },
  'it is broken YAML': {
    kubeconfig: () => write({ text: `users:\n- name: a\n  user: {token: ${secret}}\n bad: x\n` }),
    said: /^KUBECONFIG_INVALID: cannot use \S+: line 4: .+ Try: kubectl config view$/,
  },
  'it is empty': {
    kubeconfig: () => write({ text: '' }),
    said: /^KUBECONFIG_INVALID: \S+ names no context, and so no cluster\. Try: kubectl config view$/,
  },
  'it has no current context': {
    kubeconfig: () => write({ text: 'contexts: [{name: prod, context: {cluster: c}}]' }),
    said: /^CONTEXT_NOT_FOUND: no context is current in \S+; there are prod\. Set --context to one of the contexts named\.$/,
  },
  'the context is mistyped': {
    kubeconfig: () => write({}),
    args: ['--context', 'stagng'],
    said: /^CONTEXT_NOT_FOUND: there is no context "stagng" in \S+ \(did you mean staging\?\); there are prod, staging\. Set --context/,
  },
  'the server refuses': {
    kubeconfig: () => write({}),
    said: /^CLUSTER_UNREACHABLE: cannot reach https:\/\/127\.0\.0\.1:9: connect ECONNREFUSED 127\.0\.0\.1:9\. Check VPN and proxy; try: kubectl get --raw \/version$/,
  },
  'the name of the server is not known': {
    kubeconfig: () => write({ server: 'https://api.gone.invalid:6443' }),
    said: /^CLUSTER_UNREACHABLE: cannot reach https:\/\/api\.gone\.invalid:6443: the name api\.gone\.invalid (is not known here \(ENOTFOUND\)|could not be looked up \(EAI_AGAIN\))\. Check VPN/,
  },
  'the server is a black hole': {
    kubeconfig: () => write({ server: silentUrl }),
    args: ['--timeout', '3500ms'],
    said: /^CLUSTER_UNREACHABLE: https:\/\/127\.0\.0\.1:\d+ has not answered in time \(list \w+\)\. Check VPN/,
    exitCode: 4,
  },
  'the server has no TLS': {
    kubeconfig: () => write({ server: 'http://127.0.0.1:8001' }),
    said: /^CLUSTER_PLAIN_HTTP: cluster c in \S+ is at http:\/\/127\.0\.0\.1:8001: without TLS [^.]*\. Use an https:\/\/ server; for kubectl proxy set insecure-skip-tls-verify: true on the cluster\.$/,
  },
  'its certificate is not trusted': {
    kubeconfig: () => at('open', { cluster: {} }),
    said: /^CLUSTER_CERTIFICATE: the certificate of https:\S+ is not trusted: self-signed certificate\. Set certificate-authority in the kubeconfig, or NODE_EXTRA_CA_CERTS/,
  },
  'the token has expired': {
    kubeconfig: () => at('open', { user: { token: `old-${secret}` } }),
    said: /^CLUSTER_UNAUTHORIZED: https:\S+ does not accept the login of user sre of context prod: Unauthorized\. Log in again as for kubectl: /,
  },
  'a certificate file of the kubeconfig is gone': {
    kubeconfig: () => write({ user: { 'client-certificate': '/gone/c.crt', 'client-key': '/gone/c.key' } }),
    said: /^KUBECONFIG_INVALID: cannot read \/gone\/c\.crt, which the kubeconfig names: there is no such file\. /,
  },
  'the credential plugin is not installed': {
    kubeconfig: () => write({ user: exec('aws-iam-authentcator') }),
    said: /^CREDENTIAL_PLUGIN_FAILED: logging in by aws-iam-authentcator failed: there is no such program; looked in the folders \/usr\/bin, \/bin, .* and \d+ more\. Log in as for kubectl; if the program is missing from PATH, add its folder/,
  },
  'it is not installed, and the kubeconfig says how to': {
    kubeconfig: () =>
      write({ user: exec('kubelogn', { installHint: 'Get it from\nhttps://example.com/kubelogin' }) }),
    said: /there is no such program; .*; the kubeconfig says: Get it from https:\/\/example\.com\/kubelogin\. Log in as for kubectl/,
  },
  'the credential plugin says that its session is over': {
    kubeconfig: () => write({ user: saying('Error: the SSO session has expired, run: aws sso login') }),
    said: /^CREDENTIAL_PLUGIN_FAILED: logging in by sh failed: exit code 1: Error: the SSO session has expired, run: aws sso login\. Log in as for kubectl/,
  },
  'pods may not be listed': {
    kubeconfig: () => at('that allows nothing'),
    said: /^CLUSTER_FORBIDDEN: pods is forbidden: User "dev" cannot list resource "pods" .* in the namespace "mine"\. To check: kubectl auth can-i list pods -n mine\. Pods may not be listed in all namespaces, so only namespace mine of context prod was searched; --namespace NAME searches another\. Ask for the right that is named; README has the roles\.$/,
  },
  'there is neither a GPU nor an agent': {
    kubeconfig: () => at('open'),
    said: /^NO_AGENTS: no agent pods with the label k8s-gpu-mcp\/agent=true in all namespaces, and none of the 0 nodes of the cluster has GPUs\. Install the agents \(helm install k8s-gpu-mcp \.\/chart --namespace gpu-mcp --create-namespace\), or set --namespace and --selector to where they are\.$/,
  },
};

describe.concurrent('the first quarter of an hour: what a terminal and a host are told when', () => {
  for (const [title, { kubeconfig, args = [], said, exitCode = 1 }] of Object.entries(cases))
    test(title, async ({ expect, onTestFinished }) => {
      const env = { KUBECONFIG: kubeconfig() };
      const bridge = startBridge(onTestFinished, { args, env });
      await initialize(bridge);

      const ran = await runBridge(onTestFinished, { args: [...args, 'call', 'get_gpu_health'], env });
      const { result } = (await bridge.ask('tools/call', { name: 'get_gpu_health', arguments: {} })) as {
        result: { isError: boolean; content: { text: string }[] };
      };

      expect(ran).toMatchObject({ code: exitCode, stdout: '', stderr: expect.stringMatching(/^[^\n]+\n$/) });
      expect(result.isError).toBe(true);
      for (const text of [ran.stderr.trimEnd(), result.content[0]?.text ?? '']) {
        expect(text).toMatch(said);
        expect(text).not.toContain(secret);
        expect(text).not.toMatch(/undefined|\[object|\bnull\b|NaN|\.\.|;;|::|\n|\bat \S+:\d+:\d+/);
      }
    });
});

test.concurrent('GPU nodes, and no agent on them: named, with where it is said how to run one', async ({
  expect,
  onTestFinished,
}) => {
  const env = { ...bareEnvironment, KUBECONFIG: at('with GPU nodes and no agents') };

  const { code, stdout, stderr } = await runBridge(onTestFinished, { args: ['call', 'get_gpu_health'], env });

  expect({ code, stderr }).toEqual({ code: 1, stderr: '' });
  expect(stdout).toMatch(
    /^error: 0 of 2 GPU nodes answered \(.*\)\.\nNO AGENT on gpu-\[1-2\]: no DaemonSet with the label k8s-gpu-mcp\/agent=true in any namespace; helm install the chart, as README says\.\n$/,
  );
});
