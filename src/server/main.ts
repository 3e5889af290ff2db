import { lookup } from 'node:dns/promises';
import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';

import { badFlag } from '../core/command-line.ts';
import type { Driver } from '../core/driver.ts';
import { Fault } from '../core/fault.ts';
import { createLog, type Log } from '../core/log.ts';
import { plainText, sentence, whyUnreadable } from '../core/words.ts';
import type { Agent, AgentOptions } from './agent.ts';
import { type Config, type Mode, parseConfig } from './config.ts';
import type { NodeSources, SourceOptions } from './gpu-sources.ts';
import { httpLimits, listenerOptions } from './limits.ts';
import { driverEvents, type EventListener } from './nvml/event-lane.ts';
import { nvmlLanes } from './nvml/lane.ts';
import { agentListens, oneshot, type Post } from './oneshot.ts';
import type { InnerPlace, Listener, Place } from './tls-listener.ts';

// Made here, in an entry: a URL made deeper down is not found in the compiled binary.
const workerUrl = new URL('./nvml/worker.ts', import.meta.url);

async function main(): Promise<void> {
  const parsed = parseConfig(process.argv.slice(2), process.env);
  if ('print' in parsed) return void process.stdout.write(parsed.print);
  const { config } = parsed;
  const log = createLog(config.logLevel, (line) => process.stderr.write(line));
  switch (config.mode.kind) {
    case 'http':
      return serveHttp(config, config.mode, log);
    case 'stdio':
      return serveStdin(config, log);
    case 'oneshot':
      return serveOnce(config, config.mode, log);
    case 'idle':
      return idle();
  }
}

/** Loaded when it is needed: a thread for the driver starts meanwhile, and `--oneshot` beside an agent does without. */
async function agentOf(config: Config, log: Log): Promise<Agent & Pick<NodeSources, 'close'>> {
  const { node, simulatedLog, simulatedProcess, ...driver } =
    config.nvml.mode === 'simulated' ? await simulated(config) : real(config);
  const name = plainText(node, 253); // as long as the name of a node can be
  const { close, ...known } = await sources(config, { node: name, simulatedLog, simulatedProcess, log });
  const options = {
    node: name,
    ...driver,
    ...known,
    simulated: config.nvml.mode === 'simulated',
    sampleIntervalMs: config.sampleIntervalMs,
    log,
  };
  const { createAgent } = await import('./agent.ts');
  return { ...createAgent(options, httpLimits.bodyBytes), close };
}

async function sources(config: Config, options: Omit<SourceOptions, 'pod'>): Promise<NodeSources> {
  const { startSources } = await import('./gpu-sources.ts');
  return startSources(config, { ...options, pod: hostname() });
}

type Node = Pick<AgentOptions, 'node' | 'spawnDriver' | 'eventLane'> &
  Pick<SourceOptions, 'simulatedLog' | 'simulatedProcess'>;

function real({ mode, nvml, nodeName }: Config): Node {
  const spawn = nvmlLanes(workerUrl, nvml.library);
  let early: Driver | undefined = spawn();
  const spawnDriver = () => {
    const driver = early ?? spawn();
    early = undefined;
    return driver;
  };
  const eventLane = (listener: EventListener) => driverEvents(workerUrl, nvml.library, listener);
  // Who answers and goes has no time to wait for any.
  const heard = mode.kind === 'oneshot' ? {} : { eventLane };
  return {
    node: nodeName ?? hostname(),
    spawnDriver,
    ...heard,
    simulatedLog: undefined,
    simulatedProcess: undefined,
  };
}

async function simulated({ scenarioFile, nodeName }: Config): Promise<Node> {
  const { simulatedNode } = await import('../simulate/node.ts');
  const file =
    scenarioFile === undefined ? undefined : { name: scenarioFile, text: scenarioText(scenarioFile) };
  const { kernelLogText, processOnNode, ...node } = simulatedNode(file, nodeName);
  const { kernelLog } = await import('./events/kernel-line.ts');
  return {
    ...node,
    simulatedLog: () => kernelLog(Buffer.from(kernelLogText())),
    simulatedProcess: processOnNode,
  };
}

function scenarioText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw badFlag(`--scenario ${file} cannot be read: ${whyUnreadable(cause)}`, cause);
  }
}

async function serveHttp(
  config: Config,
  { port, addr }: Extract<Mode, { kind: 'http' }>,
  log: Log,
): Promise<void> {
  const { exposeAddr, health } = config;
  await Promise.all([addr, exposeAddr ?? addr, health?.addr ?? addr].map(checkAddress));
  const agent = await agentOf(config, log);
  const { serveMcp } = await import('./serve.ts');
  const mcp = await serveMcp(config, { addrs: [addr, exposeAddr ?? addr], port, agent, listen, log });
  const probes = health && listen({ hostname: health.addr, port: health.port, fetch: agent.health });
  log.info('listening', { mcp: mcp.urls.join(' '), health: probes?.url.href });
  void agent.started.then(() => log.info('ready'));
  await terminated();
  agent.draining();
  const deadline = setTimeout(() => end(0), httpLimits.drainMs);
  await mcp.drain();
  await Promise.race([Promise.all([mcp.stop(), probes?.stop(), agent.close()]), wait(1000)]);
  clearTimeout(deadline);
  end(0);
}

function listen(place: Place | InnerPlace): Listener {
  try {
    const options = { ...listenerOptions, ...place };
    return Bun.serve(options as Bun.Serve.Options<undefined>); // its types know no idleTimeout of a unix socket
  } catch (cause) {
    const where = 'unix' in place ? 'a socket of our own' : `${place.hostname}:${place.port}`;
    throw badFlag(`cannot listen on ${where}: ${(cause as Error).message}`, cause);
  }
}

/** Looked up beforehand: for a name that does not resolve Bun.serve passes on whatever errno another call has left. */
async function checkAddress(address: string): Promise<void> {
  await lookup(address).catch((cause) => {
    throw badFlag(`cannot listen on ${address}: no such address`, cause);
  });
}

async function serveStdin(config: Config, log: Log): Promise<void> {
  process.stdout.on('error', () => end(0)); // nobody reads any more
  process.stdout.setMaxListeners(0); // each answer that waits for a slow reader listens
  void terminated().then(endWritten);
  const agent = await agentOf(config, log);
  await agent.answerable;
  const { serveStdio } = await import('@modelcontextprotocol/server/stdio');
  serveStdio(() => agent.server(), { onerror: (error) => log.debug('mcp', { error: error.message }) });
  // Answers to requests that came just before the end are still under way: give them one turn of the loop each.
  process.stdin.on('end', () => setTimeout(endWritten, 100));
}

async function serveOnce(
  config: Config,
  { requests, agentPort }: Extract<Mode, { kind: 'oneshot' }>,
  log: Log,
): Promise<void> {
  process.stdout.on('error', () => end(0)); // nobody reads any more
  const write = (line: string) => void process.stdout.write(line);
  const encrypted = config.tls !== undefined && config.exposeAddr === undefined;
  const url = `${encrypted ? 'https' : 'http'}://127.0.0.1:${agentPort}/mcp`;
  const tls = { rejectUnauthorized: false }; // the name in the certificate is the Service's, and this is the pod itself
  const authorization = config.token === undefined ? undefined : `Bearer ${config.token}`;
  const remote: Post = ({ headers, ...init }) =>
    fetch(url, {
      method: 'POST',
      headers: { ...headers, ...(authorization && { authorization }) },
      ...(encrypted && { tls }),
      ...init,
    });
  if (agentPort !== undefined && (await agentListens(remote))) {
    await oneshot(process.stdin, write, requests, remote);
    return endWritten();
  }
  const agent = await agentOf(config, log);
  await agent.answerable;
  const local: Post = ({ headers, body }) =>
    agent.handler.fetch(new Request('http://localhost/mcp', { method: 'POST', headers, body }));
  await oneshot(process.stdin, write, requests, local);
  return endWritten();
}

async function idle(): Promise<void> {
  const { childReaper } = await import('./libc.ts');
  const reap = childReaper();
  process.on('SIGCHLD', reap);
  const alive = setInterval(reap, 60_000); // also keeps the process alive
  await terminated();
  clearInterval(alive);
  end(0);
}

function terminated(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => resolve());
  });
}

function wait(ms: number): Promise<void> {
  return new Promise((resolve) => void setTimeout(resolve, ms));
}

/** Ends once what was written has been read: a pipe to kubectl exec can be slow, and exit throws away what is left in it. */
async function endWritten(): Promise<void> {
  const written = new Promise<void>((resolve) => void process.stdout.end(resolve));
  await Promise.race([written, wait(httpLimits.drainMs)]);
  end(0);
}

// A hung driver call does not hold the process: on Bun exit does not wait for it.
function end(code: number): never {
  process.exit(code);
}

main().catch((thrown) => {
  const { code, message, hint } = Fault.from(thrown);
  process.stderr.write(`agent: ${sentence(message)} ${hint}\n`);
  end(code === 'BAD_FLAG' || code === 'SCENARIO_INVALID' ? 2 : 1);
});
