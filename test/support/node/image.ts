import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { arch } from 'node:process';
import { promisify } from 'node:util';

const tar = (...args: string[]) => promisify(execFile)('tar', args);

/** Names of the two images that every node has; pods that use the first say `imagePullPolicy: Never`. */
export const probeImage = 'k8s-gpu-mcp.test/probe:1';
export const pauseImage = 'k8s-gpu-mcp.test/pause:1';

/**
 * Writes an image archive, as `docker save` would, of one static program; an absent one of its arguments is left to the pod.
 * @returns its path in `folder`
 */
export async function writeImage(
  folder: string,
  { name, program, args }: { name: string; program: string; args: readonly string[] },
): Promise<string> {
  const label = name.replaceAll(/[^a-z0-9]/g, '-');
  const work = join(folder, label);
  mkdirSync(join(work, 'root'), { recursive: true });
  const file = basename(program).replace(/-.*/, '');
  copyFileSync(program, join(work, 'root', file));
  chmodSync(join(work, 'root', file), 0o755);
  await tar('--create', '--file', join(work, 'layer.tar'), '--directory', join(work, 'root'), file);

  const layer = createHash('sha256')
    .update(readFileSync(join(work, 'layer.tar')))
    .digest('hex');
  const config = {
    architecture: arch === 'x64' ? 'amd64' : arch,
    os: 'linux',
    config: { Entrypoint: [`/${file}`], Cmd: args },
    rootfs: { type: 'layers', diff_ids: [`sha256:${layer}`] },
  };
  writeFileSync(join(work, 'config.json'), JSON.stringify(config));
  const manifest = [{ Config: 'config.json', RepoTags: [name], Layers: ['layer.tar'] }];
  writeFileSync(join(work, 'manifest.json'), JSON.stringify(manifest));

  const archive = join(folder, `${label}.tar`);
  await tar('--create', '--file', archive, '--directory', work, 'manifest.json', 'config.json', 'layer.tar');
  rmSync(work, { recursive: true });
  return archive;
}
