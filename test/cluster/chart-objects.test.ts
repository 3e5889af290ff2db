import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { anyObjectOf, namespace, podOf, render, valuesFiles, valuesOf } from '../support/chart.ts';
import type { KubeObject } from '../support/cluster/api.ts';
import { type Cluster, startCluster } from '../support/cluster/cluster.ts';
import { makeFolder, removeFolder } from '../support/cluster/folder.ts';
import { ensureHelm, ensurePrograms, whyNotHere } from '../support/cluster/programs.ts';

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
    await expect(dryRunPod('monitoring', 'baseline')).rejects.toThrow(
      /violates PodSecurity "baseline:latest": non-default capabilities .*SYSLOG.*hostPath volumes/s,
    );
    await expect(dryRunPod('host-driver', 'baseline')).rejects.toThrow(/violates PodSecurity.*privileged/s);
  });

  test('without the kernel log and the kubelet the pod passes "restricted": with metrics, exposed, by DRA, in the mode stdio', async () => {
    const token =
      'expose.generateSecret=true,expose.insecurePlaintext=true,expose.from[0].ipBlock.cidr=10.0.0.0/8';

    expect(await dryRunPod('restricted', 'restricted', '--set', 'metrics.gpu=true')).toContain(
      'created (server dry run)',
    );
    expect(await dryRunPod('stdio', 'restricted')).toContain('created');
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
});

function labelled(name: string, labels: Record<string, string>): KubeObject {
  return { apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels } };
}

const runtimeClass: KubeObject = {
  apiVersion: 'node.k8s.io/v1',
  kind: 'RuntimeClass',
  metadata: { name: 'nvidia' },
  handler: 'nvidia',
};
