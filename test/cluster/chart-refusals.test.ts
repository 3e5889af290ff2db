import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';

import { chart, podOf, render, valuesOf } from '../support/chart.ts';
import { ensureHelm, whyNotHere } from '../support/cluster/programs.ts';

const skipped = whyNotHere();

const from = 'expose.enabled=true,expose.from[0].ipBlock.cidr=10.0.0.0/8';

/** What is set, and the words by which it is refused. */
const refusals: readonly (readonly [set: string, words: RegExp])[] = [
  ['agnet.mode=stdio', /additional properties 'agnet' not allowed/],
  ['agent.prot=80', /agent.*additional properties 'prot' not allowed/s],
  ['gpuAccess.hostDriver.lib=/usr/lib', /gpuAccess\/hostDriver.*additional properties 'lib' not allowed/s],
  ['metrics.podMonitor.label.a=b', /metrics\/podMonitor.*additional properties 'label' not allowed/s],
  ['agent.mode=grpc', /agent\/mode.*must be one of 'http', 'stdio'/s],
  ['gpuAccess.mode=hostPath', /gpuAccess\/mode.*must be one of 'runtimeClass', 'hostDriver', 'dra'/s],
  ['agent.port=80', /agent\/port.*minimum: got 80, want 1,?024/s],
  ['agent.sampleInterval=10', /agent\/sampleInterval/],
  ['agent.sampleInterval=fast', /agent\/sampleInterval/],
  ['agent.sampleInterval=0s', /agent\.sampleInterval is 0s: from 10ms to 3600s is possible/],
  ['agent.sampleInterval=9ms', /agent\.sampleInterval is 9ms/],
  ['agent.sampleInterval=60.5m', /agent\.sampleInterval is 60\.5m/],
  ['image.repository=null', /image.*missing property 'repository'/s],
  ['extraEnv[0].name=WIDTH,extraEnv[0].value=5', /extraEnv\/0\/value.*got number, want string/s],
  ['extraEnv[0].name=WIDTH,extraEnv[0].valeu=a', /extraEnv\/0.*additional properties 'valeu' not allowed/s],
  ['nodeAffinity[0].matchLabels.gpu=yes', /nodeAffinity\/0.*additional properties 'matchLabels'/s],
  [
    'podLabels.k8s-gpu-mcp/mode=stdio',
    /podLabels must not set k8s-gpu-mcp\/mode: that is for the chart to set/,
  ],
  ['podLabels.app\\.kubernetes\\.io/name=mine', /podLabels must not set app\.kubernetes\.io\/name/],
  ['podAnnotations.k8s-gpu-mcp/plaintext=yes', /podAnnotations must not set k8s-gpu-mcp\/plaintext/],
  ['terminationGracePeriodSeconds=5', /terminationGracePeriodSeconds.*minimum: got 5, want 15/s],
  [
    'updateStrategy.rollingUpdate.maxUnavailable=1',
    /maxSurge or maxUnavailable, and not both: set one of them to 0/,
  ],
  ['kernelLog=true', /kernelLog.*got boolean, want object/s],
  [
    'access.viewers[0].kind=Person,access.viewers[0].name=me',
    /kind.*one of 'User', 'Group', 'ServiceAccount'/s,
  ],
  [
    'access.viewers[0].kind=ServiceAccount,access.viewers[0].name=asks',
    /access\/viewers\/0.*missing property 'namespace'/s,
  ],
  [
    'access.viewers[0].kind=ServiceAccount,access.viewers[0].name=asks,access.viewers[0].namespace=',
    /access\/viewers\/0\/namespace.*minLength/s,
  ],
  [
    'agent.port=8081',
    /agent\.port and agent\.healthPort are both 8081: each listener needs a port of its own/,
  ],
  ['expose.enabled=true', /needs expose\.from: say who may connect/],
  [from, /set expose\.existingSecret to a Secret with the key token, or expose\.generateSecret=true/],
  [
    `${from},expose.existingSecret=a,expose.generateSecret=true`,
    /existingSecret and expose\.generateSecret exclude/,
  ],
  [
    `${from},expose.existingSecret=a`,
    /needs TLS: set expose\.tls\.secretName .*or accept with expose\.insecurePlaintext/,
  ],
  [
    `${from},expose.existingSecret=a,expose.tls.secretName=b,expose.insecurePlaintext=true`,
    /insecurePlaintext exclude/,
  ],
  ['metrics.prometheusRule.enabled=true', /needs metrics\.podMonitor\.enabled=true/],
];

describe.skipIf(skipped)(`what cannot work is refused in words ${skipped ?? ''}`, () => {
  beforeAll(ensureHelm);

  test.for(refusals)('%s', async ([set, words]) => {
    await expect(render('--set', set)).rejects.toThrow(words);
  });

  test('a term of the node affinity that would match no node', async () => {
    await expect(render('--set-json', 'nodeAffinity=[{}]')).rejects.toThrow(
      /nodeAffinity\/0.*minProperties/s,
    );
  });

  test.for(['10ms', '0.01s', '3600s', '60m'])('but not a sampleInterval of %s', async (interval) => {
    const { spec } = podOf(await render('--set', `agent.sampleInterval=${interval}`));

    expect(spec.containers[0].env).toContainEqual({ name: 'K8S_GPU_MCP_SAMPLE_INTERVAL', value: interval });
  });

  /** An older chart's values, kept by `--reuse-values`, lack a key in the same way. */
  test.for(keysOfValues())('%s=null is refused in words, or does no harm', async (key) => {
    const said = await render('--set', `${key}=null`).then(
      (objects) => podOf(objects).spec.containers[0]['image'],
      (error: Error) => error.message,
    );

    expect(said).toMatch(/^ghcr\.io\/|missing property '/);
  });

  test('DRA before Kubernetes 1.34', async () => {
    const old = render(...valuesOf('dra'), '--kube-version', '1.33.2');

    await expect(old).rejects.toThrow(
      /dra needs resource\.k8s\.io\/v1, which Kubernetes has from 1\.34 on; this cluster is v1\.33\.2/,
    );
  });

  test('a Kubernetes that is too old', async () => {
    await expect(render('--kube-version', '1.27.9')).rejects.toThrow('requires kubeVersion: >=1.28.0-0');
  });
});

/** Those of the first and of the second level. */
function keysOfValues(): string[] {
  const values = parse(readFileSync(join(chart, 'values.yaml'), 'utf8')) as Record<string, unknown>;
  return Object.entries(values).flatMap(([key, value]) => {
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
    const below = isObject ? Object.keys(value).map((name) => `${key}.${name.replaceAll('.', '\\.')}`) : [];
    return [key, ...below];
  });
}
