import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { certificate } from './kube-api/certificate.ts';

/** Stands in every kubeconfig: no message may show it. */
export const secret = 'hunter2-is-a-secret';

export interface Parts {
  readonly server?: string;
  readonly user?: object;
  readonly cluster?: object;
  /** Instead of a whole kubeconfig. */
  readonly text?: string;
}

/** The folder of one test file, and what writes a kubeconfig into it. Its context is `prod`, its user `sre`. */
export function kubeconfigs(): { readonly folder: string; write(parts: Parts): string; remove(): void } {
  const folder = mkdtempSync(join(tmpdir(), 'kubeconfigs-'));
  let count = 0;
  return {
    folder,
    write({ text, ...parts }) {
      count += 1;
      mkdirSync(join(folder, String(count)));
      const path = join(folder, String(count), 'config');
      writeFileSync(path, text ?? JSON.stringify(whole(parts)));
      return path;
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

function whole({
  server = 'https://127.0.0.1:9',
  user = { token: secret },
  cluster = trusted,
}: Parts): object {
  const context = { cluster: 'c', user: 'sre', namespace: 'mine' };
  return {
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'prod',
    clusters: [{ name: 'c', cluster: { server, ...cluster } }],
    users: [{ name: 'sre', user }],
    contexts: [
      { name: 'prod', context },
      { name: 'staging', context },
    ],
  };
}

const trusted = { 'certificate-authority-data': Buffer.from(certificate).toString('base64') };
