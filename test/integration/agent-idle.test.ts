import { execFileSync, spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import process from 'node:process';
import { expect, test } from 'vitest';

import { launchAgent, until, within } from '../support/agent.ts';

const mayUnshare = spawnSync('unshare', ['--pid', '--fork', 'true']).status === 0;

interface Process {
  readonly pid: number;
  readonly parent: number;
  readonly state: string;
}

/** Processes whose parent this is, as the kernel sees them. */
function childrenOf(parent: number): Process[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        const [, pid, state = '', of] =
          /^(\d+) \(.*\) (\S) (\d+)/s.exec(readFileSync(`/proc/${name}/stat`, 'utf8')) ?? [];
        return [{ pid: Number(pid), state, parent: Number(of) }];
      } catch {
        return []; // it has ended
      }
    })
    .filter((each) => each.parent === parent);
}

test('as the first process of a pod it reaps the children of others, and ends when told', async (context) => {
  context.skip(!mayUnshare, 'only root may make a process the first of a PID namespace');
  const agent = launchAgent(context, {
    wrapper: ['unshare', '--pid', '--fork', '--kill-child'],
    args: ['--idle'],
    env: { PATH: process.env['PATH'] ?? '' },
  });
  const first = await until('it runs', () => childrenOf(agent.pid)[0]?.pid);
  await until('it waits for signals', () => catches(first, 15));

  // a shell that starts a process and ends: the process becomes the agent's child, and then ends
  execFileSync('nsenter', ['--target', String(first), '--pid', 'sh', '-c', 'sleep 0.5 >/dev/null 2>&1 &']);
  await until('the orphan is its child', () => childrenOf(first).length === 1);
  await until('the orphan has been reaped', () => childrenOf(first).length === 0);

  process.kill(first, 'SIGTERM');
  expect(await within(agent.ended, 'the agent to end')).toMatchObject({ code: 0, stdout: '', stderr: '' });
});

test('it starts no driver, and ends when told', async (context) => {
  const agent = launchAgent(context, { args: ['--idle'], env: { K8S_GPU_MCP_PORT: '8080' } });
  await until('it waits for signals', () => catches(agent.pid, 15));

  agent.child.kill('SIGTERM');

  expect(await within(agent.ended, 'the agent to end')).toMatchObject({ code: 0, stdout: '', stderr: '' });
});

/** Whether a process has a handler for a signal: one that comes before is lost to process 1, and kills any other. */
function catches(pid: number, signal: number): boolean {
  const [, mask = '0'] = /^SigCgt:\s*([\da-f]+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return ((BigInt(`0x${mask}`) >> BigInt(signal - 1)) & 1n) === 1n;
}
