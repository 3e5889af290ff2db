import { beforeAll, describe, expect, test } from 'vitest';

import { render, valuesOf } from '../support/chart.ts';
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
  ['agent.sampleInterval=0s', /agent\/sampleInterval/],
  ['agent.sampleInterval=1ms', /agent\/sampleInterval/],
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
