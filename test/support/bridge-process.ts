import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { type TestFleet, until } from './bridge.ts';
import { bridgeEntry } from './build.ts';

type Message = Readonly<Record<string, unknown>> & { readonly id?: number; readonly method?: string };

export interface BridgeProcess {
  readonly child: ChildProcess;
  /** Every line that it wrote to stdout, parsed; a line that is no JSON is kept as `{ garbage }`. */
  readonly messages: readonly Message[];
  readonly stderr: () => string;
  /** Sends one request and waits for its answer. */
  ask(method: string, params?: object): Promise<Message>;
  /** Sends one message, and waits for nothing. */
  send(message: object): void;
  readonly exit: Promise<Exit>;
}

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface Start {
  /** How it is started: a program and its first arguments. Without it: the built bridge, on this Node. */
  readonly program?: readonly [string, ...string[]];
  readonly cwd?: string;
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

type Finish = (end: () => Promise<void>) => void;

/** As hosts start it: no shell, little environment, and no cluster to be found. */
export const bareEnvironment: Readonly<Record<string, string>> = {
  PATH: '/usr/bin:/bin',
  KUBECONFIG: '/does/not/exist/kubeconfig',
  HOME: '/does/not/exist',
};

/** The built bridge, speaking MCP. It is killed when the test has ended, however that ends. */
export function startBridge(
  onTestFinished: Finish,
  { program = [process.execPath, bridgeEntry], cwd, args = [], env = {} }: Start = {},
): BridgeProcess {
  const [command, ...first] = program;
  const child = spawn(command, [...first, ...args], { cwd, env: { ...bareEnvironment, ...env } });
  const exit = exitOf(child);
  onTestFinished(async () => {
    child.kill('SIGKILL');
    await exit;
  });
  const messages: Message[] = [];
  let stderr = '';
  let ids = 0;
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  child.stdin.on('error', () => undefined);
  createInterface({ input: child.stdout }).on('line', (line) => messages.push(parsed(line)));
  const send = (message: object) =>
    void child.stdin.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`);
  return {
    child,
    messages,
    stderr: () => stderr,
    exit,
    send,
    async ask(method, params = {}) {
      ids += 1;
      const id = ids;
      send({ id, method, params });
      const answer = () => messages.find((message) => message.id === id && message.method === undefined);
      await until(`an answer to ${method}; stderr: ${stderr}`, () => answer() !== undefined);
      return answer() ?? {};
    },
  };
}

export interface Ran extends Exit {
  readonly stdout: string;
  readonly stderr: string;
}

/** The built bridge, run to its end. */
export async function runBridge(onTestFinished: Finish, { args = [], env = {} }: Start): Promise<Ran> {
  const child = spawn(process.execPath, [bridgeEntry, ...args], {
    env: { ...bareEnvironment, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const exit = exitOf(child);
  onTestFinished(async () => {
    child.kill('SIGKILL');
    await exit;
  });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  await once(child, 'close');
  return { ...(await exit), stdout, stderr };
}

/** The meta data by which the 2026 revision replaces the handshake. */
export function modern(params: object = {}): object {
  const _meta = {
    'io.modelcontextprotocol/protocolVersion': '2026-07-28',
    'io.modelcontextprotocol/clientInfo': { name: 'test', version: '1' },
    'io.modelcontextprotocol/clientCapabilities': {},
  };
  return { ...params, _meta: { ..._meta, ...(params as { _meta?: object })._meta } };
}

/** The handshake of a host of 2025 or before. */
export async function initialize(bridge: BridgeProcess, protocolVersion = '2025-11-25'): Promise<Message> {
  const clientInfo = { name: 'test', version: '1' };
  const answer = await bridge.ask('initialize', { protocolVersion, capabilities: {}, clientInfo });
  bridge.send({ method: 'notifications/initialized' });
  return answer;
}

/** The fleet as flags: a bridge process asks these nodes, and no cluster. */
export function nodeFlags({ nodes }: TestFleet): string[] {
  return Object.entries(nodes).flatMap(([name, { origin }]) => ['--node', `${name}=${origin.origin}`]);
}

export function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

async function exitOf(child: ChildProcess): Promise<Exit> {
  const [code, signal] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null];
  return { code, signal };
}

function parsed(line: string): Message {
  try {
    return JSON.parse(line);
  } catch {
    return { garbage: line };
  }
}
