import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import type { KubeObject } from './api.ts';

const readme = join(import.meta.dirname, '../../../README.md');

/**
 * The roles that README tells an administrator to give to people, for this user and this namespace of the agents. They
 * are read from README itself: what it promises is what is tried.
 */
export function rolesFromReadme(user: string, namespace: string): KubeObject[] {
  const [, yaml] = /```yaml\n(apiVersion: rbac\.authorization\.k8s\.io\/v1\n[\s\S]*?)```/.exec(
    readFileSync(readme, 'utf8'),
  ) ?? [undefined, undefined];
  if (yaml === undefined) throw new Error('README has no YAML block with the roles');
  const own = yaml.replaceAll('gpu-mcp-namespace', namespace).replaceAll('someone@example.com', user);
  return parseAllDocuments(own).map((document) => document.toJS() as KubeObject);
}
