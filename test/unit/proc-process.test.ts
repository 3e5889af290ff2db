import { spawn } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';

import { bootClock } from '../../src/server/node-clock.ts';
import { nodeProcesses, processOnNode, waitingThreads } from '../../src/server/proc/process-on-node.ts';

const secret = 'hunter2-this-is-a-secret';
const fields = `S 1 7 7 0 -1 4194560 100 0 0 0 5 3 0 0 20 0 1 0 4242 10000 200 ${'0 '.repeat(20)}`;

function procFolder(files: Readonly<Record<string, string>>): string {
  const proc = mkdtempSync(join(tmpdir(), 'proc-'));
  onTestFinished(() => rmSync(proc, { recursive: true, force: true }));
  mkdirSync(join(proc, '7'));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(proc, '7', name), text);
  return proc;
}

test.for(['python3', 'my job (v2)', 'a) S 1 2', 'x: y', '((', 'tmux: server'])(
  'a program called %s is read by its last bracket',
  (name) => {
    const proc = procFolder({ comm: `${name}\n`, stat: `7 (${name}) ${fields}`, cgroup: '0::/\n' });

    expect(processOnNode(7, 1_000_000, proc)).toEqual({
      comm: { value: name },
      state: { value: 'S' },
      startedAtMs: { value: 1_042_420 },
      startTick: 4242,
      container: { value: null },
    });
  },
);

test('a process that has ended, and one of another PID namespace, are missing, and nothing is made up', () => {
  const none = { missing: 'noData' };

  expect(processOnNode(8, 0, procFolder({}))).toEqual({
    comm: none,
    state: none,
    startedAtMs: none,
    startTick: null,
    container: none,
  });
});

test('a zombie in the root of the cgroups may have been of any container', () => {
  const zombie = `7 (x) ${fields.replace('S', 'Z')}`;
  const root = procFolder({ comm: 'x\n', stat: zombie, cgroup: '6:freezer:/\n' });
  const id = 'c0ffee00'.repeat(8);
  const inPod = procFolder({ comm: 'x\n', stat: zombie, cgroup: `0::/kubepods/${id} (deleted)\n` });

  expect(processOnNode(7, 0, root).container).toEqual({ missing: 'noData' });
  expect(processOnNode(7, 0, inPod).container).toMatchObject({ value: { containerId: id } });
});

test('a process whose first thread has ended is no zombie while others run', () => {
  const ended = fields.replace('S', 'Z');
  const stateWith = (threads: number) => {
    const stat = `7 (x) ${ended.replace('20 0 1 0', `20 0 ${threads} 0`)}`;
    return processOnNode(7, 0, procFolder({ comm: 'x\n', stat, cgroup: '0::/\n' })).state;
  };

  expect(stateWith(1)).toEqual({ value: 'Z' });
  expect(stateWith(3)).toEqual({ value: 'Zl' });
});

test('a stat that is no stat is missing', () => {
  const proc = procFolder({ comm: 'x\n', stat: '7 (x', cgroup: '0::/\n' });

  expect(processOnNode(7, 0, proc)).toMatchObject({ comm: { value: 'x' }, state: { missing: 'noData' } });
});

test('a name that would move a cursor is text', () => {
  const proc = procFolder({ comm: '\u001b[2Jevil\n', stat: `7 (x) ${fields}`, cgroup: '0::/\n' });

  expect(processOnNode(7, 0, proc).comm).toEqual({ value: '[2Jevil' });
});

test('arguments and environment are never opened: a process whose both hold a secret is told without it', () => {
  const proc = procFolder({
    comm: 'job\n',
    stat: `7 (job) ${fields}`,
    cgroup: '0::/\n',
    cmdline: `job\0--password=${secret}\0`,
    environ: `TOKEN=${secret}\0`,
  });
  const traps = ['cmdline', 'environ'].map((file) => join(proc, '7', file));
  for (const trap of traps) {
    rmSync(trap);
    mkdirSync(trap); // whoever opens it for reading fails
    chmodSync(trap, 0);
  }

  const told = processOnNode(7, 0, proc);

  const { startTick: _, ...readings } = told;
  expect(Object.values(readings).every((reading) => 'value' in reading)).toBe(true);
  expect(JSON.stringify(told)).not.toContain(secret);
});

test('of the threads of a process those are told that wait in the kernel, with the time that each has run', () => {
  const proc = procFolder({ comm: 'x\n', stat: `7 (x) ${fields}` });
  const thread = (tid: number, state: string, name: string) => {
    mkdirSync(join(proc, `7/task/${tid}`), { recursive: true });
    writeFileSync(join(proc, `7/task/${tid}/stat`), `${tid} (${name}) ${fields.replace('S', state)}`);
  };
  thread(7, 'S', 'python3');
  thread(8, 'D', 'cuda) S 1');
  thread(9, 'R', 'D');

  expect(waitingThreads(7, proc)).toEqual(['8 5 3']);
  expect(waitingThreads(10, proc)).toEqual([]);
});

test('of a process with thousands of threads only so many are looked at', () => {
  const proc = procFolder({});
  for (let tid = 1000; tid < 1300; tid++) {
    mkdirSync(join(proc, `7/task/${tid}`), { recursive: true });
    writeFileSync(join(proc, `7/task/${tid}/stat`), `${tid} (x) ${fields.replace('S', 'D')}`);
  }

  expect(waitingThreads(7, proc)).toHaveLength(256);
});

test('after the clock was set a process is as old as before, and the same', () => {
  onTestFinished(() => void vi.useRealTimers());
  const { onNode } = nodeProcesses(bootClock());
  const own = () => onNode(process.pid);
  const ageMs = () => {
    const { startedAtMs } = own();
    return 'value' in startedAtMs ? Date.now() - startedAtMs.value : Number.NaN;
  };
  const [before, { startTick }] = [ageMs(), own()];

  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 86_400_000 });

  expect(Math.abs(ageMs() - before)).toBeLessThan(10_000);
  expect(own().startTick).toBe(startTick);
  expect(startTick).toBeGreaterThan(0);
});

test('a real process is told as the kernel tells it, without its secrets', async () => {
  const child = spawn('sleep', ['30'], { env: { ...process.env, TOKEN: secret }, argv0: `sleep-${secret}` });
  onTestFinished(() => void child.kill());
  await new Promise((resolve) => child.once('spawn', resolve));
  const { bootedAtMs } = bootClock();

  const asleep = { comm: { value: 'sleep' }, state: { value: 'S' } };
  await expect.poll(() => processOnNode(child.pid ?? 0, bootedAtMs)).toMatchObject(asleep);
  const told = processOnNode(child.pid ?? 0, bootedAtMs);

  const startedAtMs = 'value' in told.startedAtMs ? told.startedAtMs.value : 0;
  expect(Math.abs(Date.now() - startedAtMs)).toBeLessThan(120_000);
  expect(JSON.stringify(told)).not.toContain(secret);
});
