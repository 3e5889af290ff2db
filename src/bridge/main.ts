import { homedir } from 'node:os';

import { serveStdio } from '@modelcontextprotocol/server/stdio';
import { z } from 'zod';

import { Fault } from '../core/fault.ts';
import { createLog, type Log } from '../core/log.ts';
import { sentence } from '../core/words.ts';
import { type Config, type Installation, parseConfig } from './config.ts';
import { exitCodes } from './exit-codes.ts';
import type { Fleet } from './fleet/fleet.ts';
import { bridgeServer } from './mcp.ts';

// stdout carries the protocol and nothing else, whatever a library would like to say.
// biome-ignore lint/suspicious/noConsole: it is silenced here, once, for every library
Object.assign(console, { log: console.error, info: console.error, debug: console.error });

/** A host that has gone is noticed by the end of stdin; where another process holds that pipe open, by this. */
const parentCheckMs = 500;

async function main(): Promise<void> {
  const parsed = parseConfig(process.argv.slice(2), process.env);
  if ('print' in parsed) return print(parsed.print);
  const { config } = parsed;
  const log = createLog(config.logLevel, (line) => process.stderr.write(line));
  const { task } = config;
  if (task.kind === 'serve') return serve(() => fleetOf(config, log), config.structured, log);
  if (task.kind === 'demo') return demo(config, task.stdio, log);
  if (task.kind === 'install') return installInto(task);
  const { callCommand } = await import('./call-command.ts');
  const { signal } = new AbortController(); // a person who leaves ends this process
  const { structured } = config;
  // Streams to a cluster do not keep a process alive: as a server the bridge lives by its stdin, here by this.
  const alive = setInterval(() => undefined, 60_000);
  const printed = await callCommand(() => fleetOf(config, log), task.tool, task.args, { structured, signal });
  clearInterval(alive);
  process.stderr.write(printed.stderr);
  process.stdout.write(printed.stdout, () => process.exit(printed.exitCode));
}

/** Who reads it may have gone, as behind `| true`. */
function print(text: string): void {
  process.stdout.on('error', () => process.exit(exitCodes.ok));
  process.stdout.write(text);
}

/** Loaded when first asked: `initialize` and `tools/list` are answered without it. */
async function fleetOf(config: Config, log: Log): Promise<Fleet> {
  const { openFleet } = await import('./open-fleet.ts');
  return openFleet(config, { env: process.env, homeDir: homedir(), platform: process.platform }, log);
}

function serve(open: () => Promise<Fleet>, structured: boolean, log: Log): void {
  let fleet: Promise<Fleet> | undefined;
  z.config({ jitless: true }); // to compile a check pays where it runs often: for nodes' answers, not for a handshake
  const once = () => {
    z.config({ jitless: false });
    fleet ??= open();
    return fleet;
  };
  serveStdio(() => bridgeServer(once, structured), {
    onerror: (error) => log.debug('mcp', { error: error.message }),
  });
  whenHostLeaves(() => {
    void fleet?.then((opened) => opened.close());
    setImmediate(() => process.exit(0));
  });
}

/** By the end of stdin, a broken stdout, a signal, or the parent's death: whichever the host's end shows as. */
function whenHostLeaves(leave: () => void): void {
  process.stdin.on('end', leave).on('close', leave).on('error', leave);
  process.stdout.on('error', leave);
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, leave);
  const parent = process.ppid;
  setInterval(() => {
    if (process.ppid !== parent || !isAlive(parent)) leave();
  }, parentCheckMs).unref();
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

async function installInto(task: Installation): Promise<void> {
  const { install } = await import('./install/install.ts');
  const { env, platform, execPath, argv } = process;
  const machine = { env, platform, homeDir: homedir(), cwd: process.cwd(), execPath, script: argv[1] ?? '' };
  print(install(task, machine, new Date()));
}

async function demo(config: Config, stdio: boolean, log: Log): Promise<void> {
  const { startDemoFleet } = await import('../demo/nodes.ts');
  const nodes = await startDemoFleet(log);
  if (stdio) return serve(() => fleetOf({ ...config, nodes: nodes.urls }, log), config.structured, log);
  process.stdout.on('error', () => process.exit(exitCodes.failed)); // who reads it has gone
  const { showDemo } = await import('../demo/demo.ts');
  const program = { command: process.execPath, entry: process.argv[1] ?? '' };
  try {
    await showDemo(nodes.urls, program, (text) => void process.stdout.write(text));
  } finally {
    nodes.close();
  }
  process.exit(0);
}

main().catch((thrown) => {
  const { code, message, hint } = Fault.from(thrown);
  process.stderr.write(`k8s-gpu-mcp: ${sentence(message)} ${hint}\n`);
  process.exit(code === 'BAD_FLAG' ? exitCodes.usage : exitCodes.failed);
});
