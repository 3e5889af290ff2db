import type { KubeObject } from '../cluster/api.ts';
import { probeImage } from './image.ts';

/** A container that answers every request to port 8080 with "hello". Other arguments: see probe/main.go. */
export const serving = {
  name: 'probe',
  image: probeImage,
  imagePullPolicy: 'Never',
  args: ['serve', '8080'],
};

interface Named {
  readonly name: string;
  readonly namespace: string;
}

/** Labelled `app=NAME`, and gone at once when it is deleted. */
export function pod({ name, namespace }: Named, spec: object): KubeObject {
  const metadata = { name, namespace, labels: { app: name } };
  return { apiVersion: 'v1', kind: 'Pod', metadata, spec: { ...hasty, ...spec } };
}

/** Its pods are as `pod` has them. */
export function daemonSet({ name, namespace }: Named, podSpec: object): KubeObject {
  const labels = { app: name };
  const template = { metadata: { labels }, spec: { ...hasty, ...podSpec } };
  const spec = { selector: { matchLabels: labels }, template };
  return { apiVersion: 'apps/v1', kind: 'DaemonSet', metadata: { name, namespace }, spec };
}

/** By which a pod asks for the OCI runtime of that name, where its node has it. */
export function runtimeClass(handler: string): KubeObject {
  return { apiVersion: 'node.k8s.io/v1', kind: 'RuntimeClass', metadata: { name: handler }, handler };
}

const hasty = { terminationGracePeriodSeconds: 0 };
