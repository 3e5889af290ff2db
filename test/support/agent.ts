import { type ChildProcess, type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, type TestContext } from 'vitest';

import { agentBinary } from './build.ts';
import { freePort } from './free-port.ts';

/** For whatever is waited for: a busy machine may take long, a failure must end. */
const patienceMs = 20_000;

/** The compiled agent alone in a folder: nothing of node_modules is above it. One copy for each test file. */
const folder = mkdtempSync(join(tmpdir(), 'k8s-gpu-mcp-agent-'));
export const agentProgram = join(folder, 'agent');
copyFileSync(agentBinary, agentProgram);
chmodSync(folder, 0o755); // another user may be told to run it
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** What a test gives a process it starts. Nothing of our own environment is passed on. */
export interface Given {
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Put before the program: `['unshare', '--fork']`. */
  readonly wrapper?: readonly string[];
  readonly uid?: number;
}

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** One line of the agent's log. */
export interface LogLine {
  readonly level: string;
  readonly msg: string;
  readonly [field: string]: unknown;
}

export interface AgentProcess {
  readonly pid: number;
  readonly child: ChildProcessWithoutNullStreams;
  readonly stdout: () => string;
  readonly stderr: () => string;
  /** What it has logged so far; fails when a line is not JSON. */
  readonly log: () => readonly LogLine[];
  /** When it has ended, and its output has. */
  readonly ended: Promise<Ended>;
}

export interface ListeningAgent extends AgentProcess {
  readonly port: number;
  readonly healthPort: number;
  /** Of the MCP endpoint. */
  readonly url: string;
  /** GET of a path of the health listener. */
  health(path: string): Promise<Response>;
}

/** Starts the agent. It is killed when the test ends, however it ends. */
export function launchAgent(test: TestContext, { args = [], env = {}, wrapper = [], uid }: Given = {}) {
  const [command = '', ...rest] = [...wrapper, agentProgram, ...args];
  const child = spawn(command, rest, { cwd: folder, env: { ...env }, ...(uid !== undefined && { uid }) });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  child.stdin.on('error', () => undefined); // it may end before it has read all
  const ended = once(child, 'close').then(
    ([code, signal]): Ended => ({ code, signal: signal as NodeJS.Signals | null, stdout, stderr }),
  );
  test.onTestFinished(async () => {
    kill(child);
    await ended;
  });
  return {
    pid: child.pid ?? 0,
    child,
    stdout: () => stdout,
    stderr: () => stderr,
    log: () => logLines(stderr),
    ended,
  } satisfies AgentProcess;
}

/** Runs the agent until it ends by itself, with `input` as its stdin. */
export async function runAgent(test: TestContext, given: Given & { input?: string } = {}): Promise<Ended> {
  const agent = launchAgent(test, given);
  agent.child.stdin.end(given.input ?? '');
  return within(agent.ended, 'the agent to end', () => agent.stderr());
}

/** Starts the agent on free ports, and waits until it says that it is ready. */
export async function startAgent(test: TestContext, given: Given = {}): Promise<ListeningAgent> {
  const [port, healthPort] = [await freePort(), await freePort()];
  const ports = ['--port', String(port), '--health-port', String(healthPort)];
  const agent = launchAgent(test, { ...given, args: [...ports, ...(given.args ?? [])] });
  const health = (path: string) => fetch(`http://127.0.0.1:${healthPort}${path}`);
  await until('the agent is ready', async () => {
    if (agent.child.exitCode !== null) throw new Error(`the agent has ended: ${agent.stderr()}`);
    return (await health('/readyz').catch(() => undefined))?.status === 200;
  });
  return { ...agent, port, healthPort, url: `http://127.0.0.1:${port}/mcp`, health };
}

/** Asks again until it holds; then what it gave. Fails after a while that no healthy machine needs. */
export async function until<T>(
  what: string,
  holds: () => T | false | undefined | Promise<T | false | undefined>,
  limitMs = patienceMs,
): Promise<T> {
  const giveUpAt = performance.now() + limitMs;
  for (;;) {
    const result = await holds();
    if (result !== false && result !== undefined) return result;
    if (performance.now() > giveUpAt) throw new Error(`waited ${limitMs} ms in vain until ${what}`);
    await sleep(20);
  }
}

export async function within<T>(work: Promise<T>, what: string, more = () => ''): Promise<T> {
  const late = new AbortController();
  const limit = sleep(patienceMs, undefined, { signal: late.signal }).then(() => {
    throw new Error(`waited ${patienceMs} ms in vain for ${what}. ${more()}`);
  });
  limit.catch(() => undefined); // aborted when it is not needed any more
  try {
    return await Promise.race([work, limit]);
  } finally {
    late.abort();
  }
}

function logLines(stderr: string): LogLine[] {
  return stderr
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as LogLine);
}

function kill(child: ChildProcess): void {
  if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
}
