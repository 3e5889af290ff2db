import { mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { generate } from 'selfsigned';
import type { TestContext } from 'vitest';

export interface Pair {
  readonly cert: string;
  readonly private: string;
}

/**
 * A certificate that a server signs for itself, and that a client may trust as it trusts an authority.
 *
 * @param name the common name
 * @param host what clients call the server: a name or an address
 */
export function certificateFor(name: string, host = name): Promise<Pair> {
  return generate([{ name: 'commonName', value: name }], {
    keyType: 'ec',
    extensions: [
      { name: 'basicConstraints', cA: true },
      { name: 'subjectAltName', altNames: [isIP(host) ? { type: 7, ip: host } : { type: 2, value: host }] },
    ],
  });
}

export interface MountedSecret {
  file(name: string): string;
  /** Changes all files at once, as the kubelet does: each is a link through `..data`, and that is what is swapped. */
  swap(files: Readonly<Record<string, string>>): void;
}

/** A folder as the kubelet mounts a secret. */
export function mountedSecret(test: TestContext, files: Readonly<Record<string, string>>): MountedSecret {
  const folder = mkdtempSync(join(tmpdir(), 'k8s-gpu-mcp-secret-'));
  test.onTestFinished(() => rmSync(folder, { recursive: true }));
  const swap: MountedSecret['swap'] = (next) => {
    const version = mkdtempSync(join(folder, '..version-'));
    for (const [name, content] of Object.entries(next)) writeFileSync(join(version, name), content);
    symlinkSync(version, join(folder, '..data-next'));
    renameSync(join(folder, '..data-next'), join(folder, '..data'));
  };
  swap(files);
  for (const name of Object.keys(files)) symlinkSync(join('..data', name), join(folder, name));
  return { file: (name) => join(folder, name), swap };
}
