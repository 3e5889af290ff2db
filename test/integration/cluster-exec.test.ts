import { expect, onTestFinished, test, vi } from 'vitest';
import type { Agent } from '../../src/bridge/cluster/cluster.ts';
import { type Client, clientOf, kubeApi, soon } from '../support/kube-api/client.ts';
import type { Program, Run } from '../support/kube-api/exec.ts';
import { agentPod, daemonSet } from '../support/kube-api/objects.ts';
import type { KubeApi, KubeApiOptions } from '../support/kube-api/server.ts';

const agent: Agent = {
  node: 'gpu-1',
  namespace: 'gpu-mcp',
  pod: 'agent-gpu-1',
  life: 'pod-gpu-mcp-agent-gpu-1 0',
  ready: true,
  port: 8080,
  podIp: null,
  mode: 'stdio',
  exposed: false,
  tlsServerName: null,
  plaintext: false,
};
const objects = [daemonSet('agent'), agentPod('gpu-1', { labels: { 'k8s-gpu-mcp/mode': 'stdio' } })];
const line = '{"jsonrpc":"2.0","id":"1","method":"server/discover"}';

async function podRuns(
  program: Program | undefined,
  options: KubeApiOptions = {},
): Promise<Client & { readonly api: KubeApi }> {
  const programs = program ? { 'agent-gpu-1': program } : {};
  const api = await kubeApi({ objects, programs, ...options });
  return { ...clientOf(api), api };
}

test('one line goes in, one comes out, from the program that the image holds', async () => {
  let ran: Run | undefined;
  const cluster = await podRuns((run) => {
    ran = run;
    run.stderr('{"level":"info","msg":"call"}\n');
    run.stdout('{"answer":1}\n');
    run.exit(0);
  });

  expect(await cluster.exec(agent, line, soon())).toBe('{"answer":1}');
  expect(ran).toMatchObject({ command: ['/agent', '--oneshot=1'], container: 'agent', stdin: `${line}\n` });
});

test('an answer in many pieces, after blank lines, with more behind it, is one line', async () => {
  const text = JSON.stringify({ gpus: 'é'.repeat(100_000) });
  const bytes = Buffer.from(`\n \n${text}\n{"second":true}\n`);
  const cluster = await podRuns(({ stdout, exit }) => {
    for (let at = 0; at < bytes.length; at += 777) stdout(bytes.subarray(at, at + 777));
    exit(0);
  });

  expect(await cluster.exec(agent, line, soon())).toBe(text);
});

test('a program that ends in the middle of its last line has said it all the same', async () => {
  const cluster = await podRuns(({ stdout, exit }) => {
    stdout('{"answer":1}');
    exit(0);
  });

  expect(await cluster.exec(agent, line, soon())).toBe('{"answer":1}');
});

test('the answer is enough: a program that goes on is left, and its connection closed', async () => {
  let left = () => false;
  const cluster = await podRuns((run) => {
    left = run.left;
    run.stdout('{"answer":1}\n');
  });

  await cluster.exec(agent, line, soon());

  await vi.waitFor(() => expect(left()).toBe(true), { timeout: 3000 });
});

test.for<[string, Program | undefined, string, string | RegExp]>([
  [
    'no container',
    undefined,
    'NODE_UNREACHABLE',
    'exec in pod gpu-mcp/agent-gpu-1: Internal error occurred: error executing command in container: container not found ("agent")',
  ],
  [
    'no /agent in the image',
    ({ fail }) =>
      fail(
        'error executing command in container: failed to exec in container: failed to start exec "0a1b": OCI runtime exec failed: exec failed: unable to start container process: exec: "/agent": stat /agent: no such file or directory: unknown',
      ),
    'NODE_UNREACHABLE',
    /^\/agent cannot be run in container agent of pod gpu-mcp\/agent-gpu-1: .*no such file/,
  ],
  [
    'no runtime on the node, which is not the fault of the image',
    ({ fail }) => fail('dial unix /run/containerd/containerd.sock: connect: permission denied'),
    'NODE_UNREACHABLE',
    /^exec in pod gpu-mcp\/agent-gpu-1: .*containerd\.sock: connect: permission denied$/,
  ],
  [
    'no /agent, said by a code',
    ({ exit }) => exit(127),
    'NODE_UNREACHABLE',
    '/agent cannot be run in container agent of pod gpu-mcp/agent-gpu-1: exit code 127',
  ],
  [
    'killed',
    ({ exit }) => exit(137),
    'NODE_BAD_ANSWER',
    '/agent in pod gpu-mcp/agent-gpu-1 was killed (signal 9, often for memory)',
  ],
  [
    'its own refusal',
    ({ stderr, exit }) => {
      stderr('loading\n');
      stderr('agent: there is no flag --oneshot.\n');
      exit(2);
    },
    'NODE_BAD_ANSWER',
    '/agent in pod gpu-mcp/agent-gpu-1 ended with exit code 2: agent: there is no flag --oneshot.',
  ],
  [
    'nothing said',
    ({ exit }) => exit(0),
    'NODE_BAD_ANSWER',
    '/agent in pod gpu-mcp/agent-gpu-1 ended without an answer',
  ],
  [
    'the connection lost',
    ({ drop }) => drop(),
    'NODE_UNREACHABLE',
    'the exec in pod gpu-mcp/agent-gpu-1 was lost (closed with 1006)',
  ],
])('%s: %s', async ([, program, code, message]) => {
  const cluster = await podRuns(program);

  await expect(cluster.exec(agent, line, soon())).rejects.toMatchObject({
    code,
    message: typeof message === 'string' ? message : expect.stringMatching(message),
  });
});

test('a program that never ends its line cannot fill the memory', async () => {
  const cluster = await podRuns(({ stdout }) => {
    for (let mebibytes = 0; mebibytes < 20; mebibytes++) stdout(Buffer.alloc(1 << 20, 'x'));
  });

  await expect(cluster.exec(agent, line, soon())).rejects.toMatchObject({
    code: 'NODE_BAD_ANSWER',
    message: expect.stringMatching(/a line of more than 16777216 bytes$/),
  });
});

test('no right to exec: the verb is the one that this server checks', async () => {
  const cluster = await podRuns(undefined, { allows: ({ resource }) => resource !== 'pods/exec' });

  await expect(cluster.exec(agent, line, soon())).rejects.toMatchObject({
    code: 'CLUSTER_FORBIDDEN',
    message: expect.stringMatching(
      /cannot create resource "pods\/exec".*To check: kubectl auth can-i create pods --subresource=exec -n gpu-mcp$/,
    ),
  });
});

test('a pod that is gone: the next view lists anew', async () => {
  const cluster = await podRuns(undefined);
  await cluster.view(soon());

  await expect(cluster.exec({ ...agent, pod: 'old' }, line, soon())).rejects.toMatchObject({
    code: 'NODE_UNREACHABLE',
    message: 'pod gpu-mcp/old is gone: pods "old" not found',
  });
  await cluster.view(soon());

  expect(cluster.api.requests.filter((request) => request === 'list pods')).toHaveLength(2);
});

test('who leaves ends it at once, with his own reason; the connection goes with him', async () => {
  let left = () => false;
  const cluster = await podRuns((run) => {
    left = run.left;
  });
  const caller = new AbortController();
  const reason = new Error('left');
  const answer = cluster.exec(agent, line, caller.signal).catch((thrown) => thrown);
  await vi.waitFor(() => expect(cluster.api.requests).toContain('create pods/exec gpu-mcp'));

  caller.abort(reason);

  expect(await answer).toBe(reason);
  await vi.waitFor(() => expect(left()).toBe(true));
});

test('close ends what runs', async () => {
  const cluster = await podRuns(() => {});
  const answer = cluster.exec(agent, line, new AbortController().signal).catch((thrown) => thrown);
  await vi.waitFor(() => expect(cluster.api.requests).toContain('create pods/exec gpu-mcp'));
  await new Promise((resolve) => setTimeout(resolve, 50));

  cluster.close();

  expect(await answer).toBeInstanceOf(Error);
});

test('requests leave no listener behind in the signal of a caller who stays', async () => {
  const cluster = await podRuns(({ stdout, exit }) => {
    stdout('{}\n');
    exit(0);
  });
  const warnings: Error[] = [];
  const onWarning = (warning: Error) => warnings.push(warning);
  process.on('warning', onWarning);
  onTestFinished(() => {
    process.off('warning', onWarning);
  });
  const { signal } = new AbortController();

  for (let calls = 0; calls < 30; calls++) await cluster.exec(agent, line, signal);
  await new Promise((resolve) => setImmediate(resolve));

  expect(warnings).toEqual([]);
});
