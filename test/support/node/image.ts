import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { arch } from 'node:process';
import { promisify } from 'node:util';

const tar = (...args: string[]) => promisify(execFile)('tar', args);

/** Two names of the image that every node has; pods that use the first say `imagePullPolicy: Never`. */
export const probeImage = 'k8s-gpu-mcp.test/probe:1';
export const pauseImage = 'k8s-gpu-mcp.test/pause:1';

/** Writes an archive, as `docker save` would, of an image that is one static program. Resolves to its path in `folder`. */
export async function writeImage(
  folder: string,
  { names, program, args }: { names: readonly string[]; program: string; args: readonly string[] },
): Promise<string> {
  const file = basename(program).replace(/-.*/, ''); // without its version
  const work = join(folder, `${file}-image`);
  mkdirSync(join(work, 'root'), { recursive: true });
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
  const manifest = [{ Config: 'config.json', RepoTags: names, Layers: ['layer.tar'] }];
  writeFileSync(join(work, 'manifest.json'), JSON.stringify(manifest));

  const archive = join(folder, `${file}-image.tar`);
  await tar('--create', '--file', archive, '--directory', work, 'manifest.json', 'config.json', 'layer.tar');
  rmSync(work, { recursive: true });
  return archive;
}
