import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import {
  chart,
  ensureHelm,
  helm,
  namespace,
  podOf,
  release,
  render,
  valuesFiles,
  valuesOf,
} from '../support/chart.ts';
import type { KubeObject } from '../support/cluster/api.ts';
import { type Cluster, startCluster } from '../support/cluster/cluster.ts';
import { makeFolder, removeFolder } from '../support/cluster/folder.ts';
import { ensurePrograms, whyNotHere } from '../support/cluster/programs.ts';

const skipped = whyNotHere();
const buildMs = 30 * 60_000; // the first run on a machine builds the programs

describe.skipIf(skipped)(`the chart on a real API server ${skipped ?? ''}`, () => {
  let cluster: Cluster;
  let folder: string;

  beforeAll(async () => {
    await ensureHelm();
    await ensurePrograms('1.34');
    folder = makeFolder();
    cluster = await startCluster({ version: '1.34' });
    await cluster.apply(...['PodMonitor', 'PrometheusRule'].map(anyObjectOf), runtimeClass);
    await cluster.apply(labelled(namespace, { 'resource.kubernetes.io/admin-access': 'true' }));
    for (const level of ['baseline', 'restricted'])
      await cluster.apply(labelled(level, { 'pod-security.kubernetes.io/enforce': level }));
  }, buildMs);

  afterAll(async () => {
    await cluster?.stop();
    if (folder) removeFolder(folder);
  });

  test.for(valuesFiles)('%s: every object is taken as it is', async (name) => {
    const objects = await render(...valuesOf(name));

    const said = await dryRun(objects);

    expect(said.trim().split('\n')).toHaveLength(objects.length);
    expect(said).not.toMatch(/warning|unknown field/i);
  });

  test('what is beyond Pod Security "baseline" is refused there, by name', async () => {
    await expect(dryRunPod('default', 'baseline')).rejects.toThrow(
      /violates PodSecurity "baseline:latest": non-default capabilities .*SYSLOG.*hostPath volumes/s,
    );
    await expect(dryRunPod('host-driver', 'baseline')).rejects.toThrow(/violates PodSecurity.*privileged/s);
  });

  test('with the three values off the pod passes "restricted", exposed or by DRA too', async () => {
    const token =
      'expose.generateSecret=true,expose.insecurePlaintext=true,expose.from[0].ipBlock.cidr=10.0.0.0/8';

    expect(await dryRunPod('restricted', 'restricted')).toContain('created (server dry run)');
    expect(await dryRunPod('restricted', 'restricted', '--set', `expose.enabled=true,${token}`)).toContain(
      'created',
    );
    expect(await dryRunPod('restricted', 'restricted', '--set', 'gpuAccess.mode=dra')).toContain('created');
    await expect(dryRunPod('restricted', 'restricted', '--set', 'kernelLog.enabled=true')).rejects.toThrow(
      'SYSLOG',
    );
  });

  test('a claim for admin access is refused where the namespace is not labelled for it', async () => {
    const claims = (await render(...valuesOf('dra'))).filter(({ kind }) => kind === 'ResourceClaimTemplate');
    const elsewhere = claims.map((claim) => ({
      ...claim,
      metadata: { ...claim.metadata, namespace: 'baseline' },
    }));

    await expect(dryRun(elsewhere)).rejects.toThrow(
      /admin access.*resource\.kubernetes\.io\/admin-access: true/is,
    );
  });

  describe('installed', () => {
    const exposed = 'expose.existingSecret=,expose.generateSecret=true';

    test('a generated token outlives an upgrade, and nothing outlives the uninstallation', async () => {
      await install('install', ...valuesOf('exposed'), '--set', exposed);
      const first = await token();

      await install('upgrade', ...valuesOf('exposed'), '--set', exposed, '--set', 'agent.logLevel=debug');

      expect(Buffer.from(first, 'base64').toString()).toMatch(/^[A-Za-z0-9]{48}$/);
      expect(await token()).toBe(first);
      expect(await ours()).toHaveLength(9);

      await install('uninstall');

      expect(await ours()).toEqual([]);
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
    });

    test('the notes say what the chosen values need', async () => {
      const label = `kubectl label namespace ${namespace} pod-security.kubernetes.io/enforce=privileged`;

      expect(await notes()).toContain(label);
      expect(await notes()).toContain(
        `oc adm policy add-scc-to-user privileged -z ${release} -n ${namespace}`,
      );
      expect(await notes(...valuesOf('restricted'))).not.toContain('pod-security');
      expect(await notes(...valuesOf('host-driver'))).toContain('The pods are PRIVILEGED');
      expect(await notes(...valuesOf('dra'))).toContain('resource.kubernetes.io/admin-access=true');
      expect(await notes(...valuesOf('exposed'))).toMatch(
        /get secret my-token .*https:\/\/k8s-gpu-mcp\.gpu-mcp\.svc:8080\/mcp/s,
      );
    });
  });

  async function dryRun(objects: readonly KubeObject[]): Promise<string> {
    const file = join(folder, 'objects.json');
    writeFileSync(file, JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects }));
    return await cluster.kubectl('apply', '--dry-run=server', '--validate=strict', '-f', file);
  }

  /** A DaemonSet is taken whatever its pods may do: the pod itself is what Pod Security judges. */
  async function dryRunPod(name: string, into: string, ...args: string[]): Promise<string> {
    const { metadata, spec } = podOf(await render(...valuesOf(name), ...args));
    const named = { ...metadata, name: 'judged', namespace: into };
    return await dryRun([{ apiVersion: 'v1', kind: 'Pod', metadata: named, spec }]);
  }

  async function install(action: 'install' | 'upgrade' | 'uninstall', ...args: string[]): Promise<string> {
    const where = ['--kubeconfig', cluster.kubeconfig('admin'), '--namespace', namespace];
    return await helm(action, release, ...(action === 'uninstall' ? [] : [chart]), ...where, ...args);
  }

  async function notes(...args: string[]): Promise<string> {
    const [, said = ''] = (await install('install', '--dry-run=server', ...args)).split('\nNOTES:\n');
    return said;
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

const linux = { 'kubernetes.io/os': 'linux' };

function labelled(name: string, labels: Record<string, string>): KubeObject {
  return { apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels } };
}

const runtimeClass: KubeObject = {
  apiVersion: 'node.k8s.io/v1',
  kind: 'RuntimeClass',
  metadata: { name: 'nvidia' },
  handler: 'nvidia',
};

/** Stands for the Prometheus Operator's definition: it takes any object of the kind. */
function anyObjectOf(kind: string): KubeObject {
  const plural = `${kind.toLowerCase()}s`;
  const anything = { type: 'object', 'x-kubernetes-preserve-unknown-fields': true };
  const version = { name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: anything } };
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.monitoring.coreos.com` },
    spec: {
      group: 'monitoring.coreos.com',
      scope: 'Namespaced',
      names: { kind, plural, singular: kind.toLowerCase() },
      versions: [version],
    },
  };
}
