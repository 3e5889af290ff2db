import { execFile } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { parseAllDocuments } from 'yaml';

import type { KubeObject } from './cluster/api.ts';
import { ensureHelm } from './cluster/programs.ts';

export const chart = join(import.meta.dirname, '../../chart');

/** `gke-cos` for each `chart/ci/gke-cos-values.yaml`. */
export const valuesFiles = readdirSync(join(chart, 'ci')).map((name) => name.replace('-values.yaml', ''));

export const release = 'k8s-gpu-mcp';
export const namespace = 'gpu-mcp';

/** Builds Helm the first time: have `ensureHelm` done before. @throws Error with what Helm said */
export async function helm(...args: string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(await ensureHelm(), args, { maxBuffer: 64 << 20 });
  return stdout;
}

/** As for a cluster of this version: a Helm that is built from its module believes in 1.20. */
const forCluster = ['--kube-version', '1.34.4', '--namespace', namespace];

/** Flags that take the values of `chart/ci/NAME-values.yaml`. */
export function valuesOf(name: string): string[] {
  return ['--values', join(chart, 'ci', `${name}-values.yaml`)];
}

export async function lint(...args: string[]): Promise<string> {
  return await helm('lint', '--strict', chart, ...forCluster, ...args);
}

/** Rejects as `helm template` does, with the sentence that says what is wrong. */
export async function render(...args: string[]): Promise<KubeObject[]> {
  return await renderAs(release, ...args);
}

export async function renderAs(name: string, ...args: string[]): Promise<KubeObject[]> {
  const text = await helm('template', name, chart, ...forCluster, ...args);
  return parseAllDocuments(text).flatMap((document) => {
    if (document.errors.length > 0) throw new Error(`${document.errors[0]}`);
    return (document.toJS() as KubeObject | null) ?? [];
  });
}

/** The pod that a rendered DaemonSet makes. */
export interface PodSpec {
  readonly containers: readonly [Container];
  readonly volumes?: readonly {
    name: string;
    hostPath?: { path: string };
    secret?: { secretName: string };
  }[];
  readonly runtimeClassName?: string;
  readonly [field: string]: unknown;
}

interface Container {
  readonly args?: readonly string[];
  readonly env: readonly { name: string; value?: string }[];
  readonly ports?: readonly { name: string; containerPort: number }[];
  readonly resources: object;
  readonly securityContext: Readonly<Record<string, unknown>>;
  readonly [field: string]: unknown;
}

export function podOf(objects: readonly KubeObject[]): { metadata: KubeObject['metadata']; spec: PodSpec } {
  const daemonSet = objects.find(({ kind }) => kind === 'DaemonSet') as unknown as
    | { spec: { template: { metadata: KubeObject['metadata']; spec: PodSpec } } }
    | undefined;
  if (!daemonSet) throw new Error('no DaemonSet was rendered');
  return daemonSet.spec.template;
}

/** Stands for the Prometheus Operator's definition: it takes any object of the kind. */
export function anyObjectOf(kind: string): KubeObject {
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
