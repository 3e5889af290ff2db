import { existsSync, lstatSync, rmSync, symlinkSync } from 'node:fs';
import { agentBinary } from '../build.ts';
import type { KubeObject } from './api.ts';

const path = '/agent';

/** kwok runs what is executed in a pod on this machine, by the path that it has in the image. */
export function whyNoExecHere(): string | undefined {
  if (process.getuid?.() !== 0) return '(needs root: /agent is put in place)';
  return existsSync(path) && !lstatSync(path).isSymbolicLink()
    ? '(there is something else at /agent)'
    : undefined;
}

/** @returns what takes it away again */
export function putAgentInPlace(): () => void {
  rmSync(path, { force: true });
  symlinkSync(agentBinary, path);
  return () => rmSync(path, { force: true });
}

/** Lets kwok run programs in the pod of that name, with these variables. */
export function execIn(
  { name, namespace }: { readonly name: string; readonly namespace: string },
  variables: Readonly<Record<string, string>>,
): KubeObject {
  const envs = Object.entries(variables).map(([variable, value]) => ({ name: variable, value }));
  return {
    apiVersion: 'kwok.x-k8s.io/v1alpha1',
    kind: 'Exec',
    metadata: { name, namespace },
    spec: { execs: [{ containers: ['agent'], local: { envs } }] },
  };
}
