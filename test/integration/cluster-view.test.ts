import { expect, onTestFinished, test, vi } from 'vitest';
import { clientOf, kubeApi, soon } from '../support/kube-api/client.ts';
import { agentPod, daemonSet, gpuNode, warning } from '../support/kube-api/objects.ts';
import type { Access } from '../support/kube-api/server.ts';

const three = ['gpu-1', 'gpu-2', 'gpu-3'];
const fleet = [
  daemonSet('agent', { desired: 3 }),
  ...three.map((node) => gpuNode(node)),
  ...three.map((node) => agentPod(node)),
];
const clusterWide = ({ namespace }: Access) => namespace === null;

test('nothing is asked before the first view, and one list of each kind for it and all after it', async () => {
  const api = await kubeApi({ objects: fleet });
  const cluster = clientOf(api);
  expect(api.requests).toEqual([]);

  const views = await Promise.all([cluster.view(soon()), cluster.view(soon())]);
  await vi.waitFor(() => expect(api.openWatches()).toBe(3));
  views.push(await cluster.view(soon()));

  for (const view of views) expect(view).toMatchObject({ nodesTotal: 3, withoutAgent: [], notes: [] });
  expect(views.map(({ agents }) => agents.map(({ node }) => node))).toEqual([three, three, three]);
  expect(api.requests.sort()).toEqual(
    ['daemonsets', 'nodes', 'pods'].flatMap((kind) => [`list ${kind}`, `watch ${kind}`]).sort(),
  );
});

test('a change arrives by the watch, without another list', async () => {
  const api = await kubeApi({ objects: fleet });
  const cluster = clientOf(api);
  await cluster.view(soon());
  await vi.waitFor(() => expect(api.openWatches()).toBe(3));

  api.remove(agentPod('gpu-2'));
  api.put(agentPod('gpu-2', { name: 'agent-new' }));

  await vi.waitFor(async () => {
    const { agents } = await cluster.view(soon());
    expect(agents.map(({ pod }) => pod)).toEqual(['agent-gpu-1', 'agent-new', 'agent-gpu-3']);
  });
  expect(api.requests.filter((request) => request === 'list pods')).toHaveLength(1);
});

test('events are asked for only where a node lacks its agent, and say why', async () => {
  const owner = daemonSet('agent', { desired: 3, current: 2 });
  const objects = [...fleet.slice(1, -1), owner, warning(owner, 'FailedCreate', 'exceeded quota')];
  const api = await kubeApi({ objects });

  const view = await clientOf(api).view(soon());

  expect(view.withoutAgent).toEqual([
    { node: 'gpu-3', why: 'DaemonSet gpu-mcp/agent wants 3, has 2: FailedCreate: exceeded quota' },
  ]);
  expect(api.requests).toContain('list events gpu-mcp');
});

// Events were asked for only after discovery had found something: who sees one namespace, in which nothing could be
// started, was told that there were no agents, and not why.
test('who sees only the namespace that forbids the agents is told so, with the event’s words', async () => {
  const owner = daemonSet('agent', { namespace: 'mine', desired: 3, current: 0 });
  const refused = 'pods "agent-x" is forbidden: violates PodSecurity "baseline:latest": hostPath volumes';
  const objects = [owner, warning(owner, 'FailedCreate', refused)];
  const api = await kubeApi({ objects, allows: (access) => !clusterWide(access) });

  await expect(clientOf(api).view(soon())).rejects.toMatchObject({
    code: 'NO_AGENTS',
    message: expect.stringMatching(
      /DaemonSet mine\/agent wants 3, has 0: FailedCreate: .*violates PodSecurity "baseline:latest": hostPath volumes\. Do without: .* allow it: kubectl label namespace mine .*; then: kubectl --namespace mine rollout restart daemonset\/agent\. .*only namespace mine of context test was searched; --namespace NAME searches another\.$/,
    ),
  });
});

test('after the watches have ended the next view lists anew; a server that always ends them is not hammered', async () => {
  const api = await kubeApi({ objects: fleet });
  const cluster = clientOf(api);
  for (let round = 0; round < 20; round++) {
    await cluster.view(soon());
    await vi.waitFor(() => expect(api.openWatches() === 3 || round > 0).toBe(true));
    api.endWatches();
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  api.put(agentPod('gpu-1', { terminating: true }));

  expect(api.requests.filter((request) => request === 'list pods').length).toBeLessThan(4);
  await vi.waitFor(async () => expect((await cluster.view(soon())).agents).toHaveLength(2), {
    timeout: 5000,
  });
  expect(cluster.log()).toContain('watch ended');
});

test('an API server that went away and came back is found again', async () => {
  const api = await kubeApi({ objects: fleet });
  const cluster = clientOf(api);
  await cluster.view(soon());
  await vi.waitFor(() => expect(api.openWatches()).toBe(3));

  await api.pause();
  await vi.waitFor(
    () =>
      expect(cluster.view(soon())).rejects.toMatchObject({
        code: 'CLUSTER_UNREACHABLE',
        message: expect.stringMatching(/^cannot reach https:\/\/127.0.0.1:\d+: connect ECONNREFUSED/),
      }),
    { timeout: 5000 },
  );
  await api.resume();

  expect(await cluster.view(soon())).toMatchObject({ nodesTotal: 3 });
});

test('a user of one namespace sees that one, and is told so', async () => {
  const objects = [
    daemonSet('agent', { namespace: 'mine' }),
    agentPod('gpu-1', { namespace: 'mine' }),
    ...fleet,
  ];
  const api = await kubeApi({ objects, allows: (access) => !clusterWide(access) });

  const view = await clientOf(api).view(soon());

  expect(view).toMatchObject({ agents: [{ node: 'gpu-1', namespace: 'mine' }], nodesTotal: null });
  expect(view.notes).toEqual([
    'Pods may not be listed in all namespaces, so only namespace mine of context test was searched; --namespace NAME searches another.',
    'Nodes may not be listed, so it is unknown whether there are GPU nodes without an agent.',
  ]);
});

test('a user of another namespace than the one of the context: what to give is said, and with it all is well', async () => {
  const objects = [daemonSet('agent', { desired: 1 }), agentPod('gpu-1')];
  const api = await kubeApi({ objects, allows: ({ namespace }) => namespace === 'gpu-mcp' });

  await expect(clientOf(api).view(soon())).rejects.toMatchObject({
    code: 'CLUSTER_FORBIDDEN',
    message: expect.stringMatching(
      /only namespace mine of context test was searched; --namespace NAME searches/,
    ),
  });
  const view = await clientOf(api, { namespace: 'gpu-mcp' }).view(soon());

  expect(view).toMatchObject({ agents: [{ node: 'gpu-1' }], nodesTotal: null });
  expect(view.notes).toEqual([
    'Nodes may not be listed, so it is unknown whether there are GPU nodes without an agent.',
  ]);
});

test('a named namespace and a selector are asked for, and nothing else', async () => {
  const other = [
    daemonSet('agent', { namespace: 'b' }),
    agentPod('gpu-1', { namespace: 'b', labels: { team: 'x' } }),
  ];
  const api = await kubeApi({ objects: [...fleet, ...other] });

  await expect(clientOf(api).view(soon())).rejects.toMatchObject({ code: 'AGENTS_AMBIGUOUS' });
  const view = await clientOf(api, { namespace: 'b', selector: 'team=x' }).view(soon());

  expect(view.agents).toMatchObject([{ node: 'gpu-1', namespace: 'b' }]);
  expect(view.withoutAgent.map(({ node }) => node)).toEqual(['gpu-2', 'gpu-3']);
});

test('DaemonSets and events that may not be listed cost only what they would have told', async () => {
  const objects = fleet.slice(0, -1);
  const api = await kubeApi({ objects, allows: ({ resource }) => !/daemonsets|events/.test(resource) });

  const view = await clientOf(api).view(soon());

  expect(view.withoutAgent).toEqual([{ node: 'gpu-3', why: 'no agent pod on this node' }]);
  expect(view.notes.join('\n')).toMatch(
    /DaemonSets may not be listed.*\n.*Events could not be read.*can-i list events -n gpu-mcp/,
  );
});

test('no right at all: user, verb, resource, namespace and the line to check it', async () => {
  const api = await kubeApi({ allows: () => false });

  await expect(clientOf(api).view(soon())).rejects.toMatchObject({
    code: 'CLUSTER_FORBIDDEN',
    message:
      'pods is forbidden: User "dev" cannot list resource "pods" in API group "" in the namespace "mine". To check: kubectl auth can-i list pods -n mine. ' +
      'Pods may not be listed in all namespaces, so only namespace mine of context test was searched; --namespace NAME searches another.',
  });
});

test('a list that is not answered ends with the caller’s patience, and names the server', async () => {
  const api = await kubeApi({ objects: fleet, swallows: ({ resource }) => resource === 'nodes' });
  const cluster = clientOf(api);

  await expect(cluster.view(AbortSignal.timeout(200))).rejects.toMatchObject({
    code: 'CLUSTER_UNREACHABLE',
    message: `${api.url} has not answered in time (list nodes)`,
  });
  const left = new Error('left');
  await expect(cluster.view(AbortSignal.abort(left))).rejects.toBe(left);
});

test('close ends the watches and what is under way', async () => {
  const api = await kubeApi({ objects: fleet, swallows: ({ resource }) => resource === 'nodes' });
  const cluster = clientOf(api);
  const view = cluster.view(soon());
  await vi.waitFor(() => expect(api.openWatches()).toBe(2));

  cluster.close();

  await expect(view).rejects.toMatchObject({ name: 'AbortError' });
  await vi.waitFor(() => expect(api.openWatches()).toBe(0));
  await expect(cluster.view(soon())).rejects.toMatchObject({ name: 'AbortError' });
});

test('ten minutes after the last view the watches are closed', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  onTestFinished(() => {
    vi.useRealTimers();
  });
  const api = await kubeApi({ objects: fleet });
  const cluster = clientOf(api);
  await cluster.view(soon());
  await vi.waitFor(() => expect(api.openWatches()).toBe(3));

  vi.advanceTimersByTime(9 * 60_000);
  await cluster.view(soon());
  vi.advanceTimersByTime(9 * 60_000);
  expect(api.openWatches()).toBe(3);
  vi.advanceTimersByTime(60_000);

  await vi.waitFor(() => expect(api.openWatches()).toBe(0));
});
