import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { anyObjectOf, chart, helm, namespace, release, valuesFiles, valuesOf } from '../support/chart.ts';
import type { KubeObject } from '../support/cluster/api.ts';
import { type Cluster, startCluster } from '../support/cluster/cluster.ts';
import { ensureHelm, ensurePrograms, whyNotHere } from '../support/cluster/programs.ts';

const skipped = whyNotHere();
const buildMs = 30 * 60_000; // the first run on a machine builds the programs
const keptValues = '--reset-then-reuse-values'; // unlike --reuse-values, with the defaults of a newer chart
const linux = { 'kubernetes.io/os': 'linux' };

describe.skipIf(skipped)(`the chart, installed ${skipped ?? ''}`, () => {
  let cluster: Cluster;

  beforeAll(async () => {
    await ensureHelm();
    await ensurePrograms('1.34');
    cluster = await startCluster({ version: '1.34' });
    await cluster.apply(...['PodMonitor', 'PrometheusRule'].map(anyObjectOf));
    await cluster.addNamespace('elsewhere');
    const labels = { 'resource.kubernetes.io/admin-access': 'true' };
    await cluster.apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace, labels } });
  }, buildMs);

  afterAll(async () => await cluster?.stop());

  const exposed = 'expose.existingSecret=,expose.generateSecret=true';

  test('a generated token outlives upgrades, one to stdio and back too, and nothing outlives the uninstallation', async () => {
    await install('install', ...valuesOf('exposed'), '--set', exposed);
    const first = await token();

    await install('upgrade', ...valuesOf('exposed'), '--set', exposed, '--set', 'agent.logLevel=debug');

    expect(Buffer.from(first, 'base64').toString()).toMatch(/^[A-Za-z0-9]{48}$/);
    expect(await token()).toBe(first);
    expect(await ours()).toHaveLength(9);

    const said = await install('upgrade', keptValues, '--set', 'agent.mode=stdio,metrics.gpu=true');
    expect(said).toContain('Set aside while agent.mode=stdio: expose, metrics.gpu.');
    expect(await ours()).toHaveLength(8);
    await install('upgrade', keptValues, '--set', 'agent.mode=http');

    expect(await token()).toBe(first);

    await install('uninstall');

    expect(await ours()).toEqual([]);
  });

  test('a viewer may look everywhere, but enter only here, and by exec only in the mode stdio', async () => {
    const viewers = ['--set', 'access.viewers[0].kind=User,access.viewers[0].name=someone'];

    await install('install', ...viewers);
    expect(await may('list', 'nodes')).toBe(true);
    expect(await may('list', 'pods', 'elsewhere')).toBe(true);
    expect(await may('get', 'secrets')).toBe(false);
    expect(await may('create', 'pods/portforward')).toBe(true);
    expect(await may('create', 'pods/portforward', 'elsewhere')).toBe(false);
    expect(await may('create', 'pods/exec')).toBe(false);

    await install('upgrade', ...viewers, '--set', 'agent.mode=stdio');
    expect(await may('create', 'pods/exec')).toBe(true);
    expect(await may('create', 'pods/exec', 'elsewhere')).toBe(false);
    await install('uninstall');
  });

  test('who may act in the namespace only installs it without a look at the cluster, for viewers of the namespace', async () => {
    await cluster.apply(...namespaceAdmin('namespaced'));
    const asAdmin = ['--kubeconfig', cluster.kubeconfig('namespaced')];
    const viewers = ['--set', exposed, '--set', 'access.viewers[0].kind=User,access.viewers[0].name=someone'];
    const all = [...valuesOf('exposed'), ...viewers, ...asAdmin];

    await expect(install('install', ...all)).rejects.toThrow(
      'nodes is forbidden: User "namespaced" cannot list',
    );
    const said = await install('install', ...all, '--set', 'access.clusterRole=false');

    expect(said).toContain('With access.clusterRole=false neither nodes nor RuntimeClasses were looked at.');
    expect((await ours()).filter((name) => name.startsWith('clusterrole'))).toEqual([]);
    expect(await may('list', 'pods')).toBe(true);
    expect(await may('create', 'pods/portforward')).toBe(true);
    expect(await may('list', 'pods', 'elsewhere')).toBe(false);
    expect(await may('list', 'nodes')).toBe(false);
    await install('uninstall', ...asAdmin);
  });

  test('an upgrade leads from each values file to the next', async () => {
    await install('install');

    for (const name of valuesFiles) await install('upgrade', ...valuesOf(name));

    expect(await install('uninstall')).toContain('uninstalled');
  });

  test('the notes count the nodes that match, and those that offer GPUs but do not', async () => {
    await cluster.addNode({ name: 'cpu-1' });
    expect(await notes()).toContain('WARNING: 0 of 1 nodes match, so no agent runs: set nodeAffinity');

    await cluster.addNode({ name: 'gpu-1', capacity: { 'nvidia.com/gpu': 8 } });
    await cluster.addNode({
      name: 'gpu-2',
      labels: { ...linux, 'cloud.google.com/gke-accelerator': 'nvidia-l4' },
    });
    await cluster.addNode({
      name: 'gpu-3',
      labels: { ...linux, 'kubernetes.azure.com/accelerator': 'nvidia' },
    });
    await cluster.addNode({
      name: 'cpu-2',
      labels: { ...linux, 'kubernetes.azure.com/accelerator': 'amd' },
    });

    const said = await notes();
    expect(said).toContain('2 of 5 nodes match and get an agent.');
    expect(said).toContain('WARNING: 1 more offer nvidia.com resources, but do not match');
    expect(said).toContain('kubectl label node NODE nvidia.com/gpu.present=true');
    expect(await notes('--set-json', 'nodeAffinity=[]')).toContain('3 of 5 nodes match');

    await cluster.kubectl('label', 'nodes', 'gpu-1', 'gpu-2', 'k8s-gpu-mcp/paused=true');
    const whilePaused = await notes();
    expect(whilePaused).toContain(
      '1 of 5 nodes match and get an agent. Paused by the label k8s-gpu-mcp/paused: 1 more.',
    );
    expect(whilePaused).not.toContain('offer nvidia.com resources'); // gpu-1: somebody wants it so
    await cluster.kubectl('label', 'nodes', 'gpu-3', 'k8s-gpu-mcp/paused=true');
    expect(await notes()).toContain('0 of 5 nodes match and get an agent. Paused by the label');
    expect(await notes()).not.toContain('label node NODE');
  });

  test('the notes say what the chosen values need', async () => {
    const label = `kubectl label namespace ${namespace} pod-security.kubernetes.io/enforce=privileged`;

    expect(await notes()).toContain(label);
    expect(await notes()).toContain(`oc adm policy add-scc-to-user privileged -z ${release} -n ${namespace}`);
    expect(await notes(...valuesOf('restricted'))).not.toContain('pod-security');
    expect(await notes()).toContain('WARNING: there is no RuntimeClass nvidia');
    expect(await notes(...valuesOf('eks-al2023'))).not.toContain('RuntimeClass');
    expect(await notes(...valuesOf('stdio'))).toContain(
      'exec -i daemonset/k8s-gpu-mcp -- /agent --oneshot=1',
    );
    expect(await notes(...valuesOf('host-driver'))).toContain('The pods are PRIVILEGED');
    expect(await notes(...valuesOf('dra'))).toContain('resource.kubernetes.io/admin-access=true');
    expect(await notes(...valuesOf('exposed'))).toMatch(
      /get secret my-token .*https:\/\/k8s-gpu-mcp\.gpu-mcp\.svc:8080\/mcp\n\nThe Service reaches one node's agent/s,
    );
  });

  test('the notes say how to wake the DaemonSet controller after a remedy, where one may be needed', async () => {
    const wake = `\n  kubectl --namespace ${namespace} rollout restart daemonset/${release}\n`;
    const defaultRuntime = ['--set', 'gpuAccess.runtimeClass.name='];

    expect(await notes()).toContain(wake); // Pod Security, SCC
    expect(await notes(...valuesOf('restricted'))).toContain(wake); // no RuntimeClass nvidia
    expect(await notes(...valuesOf('restricted'), ...valuesOf('dra'))).toContain(wake);
    expect(await notes(...valuesOf('restricted'), ...defaultRuntime)).not.toContain('rollout restart');
  });

  async function install(action: 'install' | 'upgrade' | 'uninstall', ...args: string[]): Promise<string> {
    const where = ['--kubeconfig', cluster.kubeconfig('admin'), '--namespace', namespace];
    return await helm(action, release, ...(action === 'uninstall' ? [] : [chart]), ...where, ...args);
  }

  async function notes(...args: string[]): Promise<string> {
    const [, said = ''] = (await install('install', '--dry-run=server', ...args)).split('\nNOTES:\n');
    return said;
  }

  async function may(verb: string, resource: string, where = namespace): Promise<boolean> {
    const [kind = '', subresource = ''] = resource.split('/');
    const ask = [
      'auth',
      'can-i',
      verb,
      kind,
      `--subresource=${subresource}`,
      `--namespace=${where}`,
      '--as=someone',
    ];
    return await cluster.kubectl(...ask).then(
      () => true,
      () => false, // kubectl ends with 1 for a no
    );
  }

  async function token(): Promise<string> {
    const here = `--namespace=${namespace}`;
    return await cluster.kubectl(
      'get',
      'secret',
      `${release}-token`,
      here,
      '--output=jsonpath={.data.token}',
    );
  }

  async function ours(): Promise<string[]> {
    const kinds = 'ds,svc,sa,secret,role,rolebinding,clusterrole,clusterrolebinding,netpol';
    const mine = `--selector=app.kubernetes.io/instance=${release}`;
    const names = await cluster.kubectl('get', kinds, '--all-namespaces', mine, '--output=name');
    return names.trim().split('\n').filter(Boolean);
  }
});

/** Binds what the ClusterRole `admin` consists of: nothing here puts it together, as a controller does elsewhere. */
function namespaceAdmin(user: string): KubeObject[] {
  return ['view', 'edit', 'admin'].map((part) => ({
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'RoleBinding',
    metadata: { name: `${user}-${part}`, namespace },
    roleRef: {
      apiGroup: 'rbac.authorization.k8s.io',
      kind: 'ClusterRole',
      name: `system:aggregate-to-${part}`,
    },
    subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: user }],
  }));
}
