import { execFileSync, spawnSync } from 'node:child_process';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { whyNoProgram } from '../support/debian.ts';
import { deviceNode, type NvidiaRuntime, nvidiaRuntime } from '../support/node/nvidia-runtime.ts';
import { runcProgram } from '../support/node/programs.ts';

const skipped = process.getuid?.() === 0 ? whyNoProgram(runcProgram) : 'containers need root';
const folder = mkdtempSync(join(tmpdir(), 'nvidia-runtime-test-'));
const program = join(folder, 'nvml-init');

afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe.skipIf(skipped)(`containers of runc ${skipped ?? ''}`, () => {
  let runtime: NvidiaRuntime;

  beforeAll(() => {
    runtime = nvidiaRuntime(join(folder, 'node'), runcProgram().command);
    execFileSync('cc', ['-o', program, join(import.meta.dirname, '../support/node/nvml-init.c')]);
  });

  test('one that asks for GPUs opens the driver', () => {
    runtime.write({});

    expect(run(runtime.program, { NVIDIA_VISIBLE_DEVICES: 'all' })).toBe('0');
    expect(runtime.calls().map(({ symbol }) => symbol)).toContain('nvmlInit_v2');
  });

  test('a user who is not root opens it too', () => {
    expect(run(runtime.program, { NVIDIA_VISIBLE_DEVICES: 'all' }, { uid: 65_532 })).toBe('0');
  });

  test('what the driver says can be changed from outside', () => {
    runtime.write({ driver: 'notLoaded' });

    expect(run(runtime.program, { NVIDIA_VISIBLE_DEVICES: 'GPU-1' })).toBe('9');
    runtime.write({});
  });

  test('one that asks for none has no driver', () => {
    const answer = run(runtime.program, { NVIDIA_VISIBLE_DEVICES: 'void' });

    expect(answer).toMatch(/^libnvidia-ml\.so\.1: cannot open shared object file/);
  });

  test('one that mounts the driver itself finds the device closed: NVML says unknown error', () => {
    const { driverRoot, configFolder } = runtime;
    const library = execFileSync('find', [driverRoot, '-name', 'libnvidia-ml.so.1'], { encoding: 'utf8' });
    const mounts = {
      [library.trim().slice(driverRoot.length)]: library.trim(),
      [deviceNode]: join(driverRoot, deviceNode),
      '/run/fake-nvml': configFolder,
    };

    expect(run(runcProgram().command, {}, { mounts })).toBe('999');
  });

  test('other commands of runc pass through it untouched', () => {
    const own = execFileSync(runcProgram().command, ['--version'], {
      env: runcProgram().env,
      encoding: 'utf8',
    });

    const wrapped = execFileSync(runtime.program, ['--version'], {
      env: runcProgram().env,
      encoding: 'utf8',
    });

    expect(wrapped).toBe(own);
  });
});

let containers = 0;

/** Runs nvml-init in a container as containerd would start it: create, start, delete. Returns what it printed. */
function run(
  runtime: string,
  env: Record<string, string>,
  { mounts = {}, uid = 0 }: { mounts?: Record<string, string>; uid?: number } = {},
): string {
  containers += 1;
  const id = `nvidia-runtime-test-${process.pid}-${containers}`;
  const bundle = join(folder, id);
  const output = join(bundle, 'output');
  fillRoot(join(bundle, 'rootfs'));
  const call = (...args: string[]) =>
    spawnSync(runtime, ['--root', join(folder, 'state'), ...args], {
      cwd: folder,
      env: { ...process.env, ...runcProgram().env },
      stdio: ['ignore', openSync(output, 'a'), openSync(output, 'a')],
    });
  spawnSync(runcProgram().command, ['spec', '--bundle', bundle], { env: runcProgram().env });
  const spec = JSON.parse(readFileSync(join(bundle, 'config.json'), 'utf8'));
  spec.root = { path: 'rootfs', readonly: true };
  spec.process.user = { uid, gid: uid };
  spec.process.terminal = false;
  spec.process.args = ['/nvml-init'];
  spec.process.env.push(...Object.entries(env).map(([name, value]) => `${name}=${value}`));
  for (const [destination, source] of Object.entries(mounts))
    spec.mounts.push({ destination, source, type: 'bind', options: ['rbind'] });
  writeFileSync(join(bundle, 'config.json'), JSON.stringify(spec));

  call('create', '--bundle', bundle, id);
  call('start', id);
  execFileSync('sh', ['-c', `for i in $(seq 100); do [ -s '${output}' ] && exit; sleep 0.05; done`]);
  call('delete', '--force', id);
  return readFileSync(output, 'utf8').trim();
}

/** The program, its libraries where they are here, and the folders that are mounted on. */
function fillRoot(rootfs: string): void {
  const listed = execFileSync('ldd', [program], { encoding: 'utf8' });
  const libraries = [...listed.matchAll(/(\/\S+) \(0x/g)].map(([, path = '']) => path);
  for (const path of libraries) {
    mkdirSync(dirname(join(rootfs, path)), { recursive: true });
    cpSync(realpathSync(path), join(rootfs, path));
  }
  for (const path of ['proc', 'dev', 'sys', 'run']) mkdirSync(join(rootfs, path), { recursive: true });
  cpSync(program, join(rootfs, 'nvml-init'));
}
