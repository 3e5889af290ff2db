import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';

import { bareEnvironment } from '../support/bridge-process.ts';
import { bridgeEntry } from '../support/build.ts';
import { atExit } from '../support/cluster/clean-up.ts';

/**
 * A host that costs little: lines of JSON-RPC over stdio and no client library, as it shares the machine's cores with what
 * it measures.
 */
export interface BridgeHost {
  /** The bridge, or the parent that was put between. */
  readonly child: ChildProcess;
  /** Of the bridge. */
  readonly pid: Promise<number>;
  /** Just before it was started. */
  readonly startedMs: number;
  /** When nobody holds its stdout any more: it has ended, whoever its parent is. */
  readonly ended: Promise<unknown>;
  /** Resolves to the result. @throws Error with what the bridge answered instead, or when it ends before that */
  ask<Result = unknown>(method: string, params?: object, onProgress?: () => void): Promise<Result>;
  /** Sends a notification. */
  tell(method: string): void;
  /** Closes stdin and waits for the bridge's end. */
  leave(): Promise<void>;
}

export interface BridgeStart {
  /** Flags and command. */
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Path of the Node that runs it. */
  readonly node?: string;
  /** Put a process between us and the bridge, which is all that dies when it is killed: stdin stays open. */
  readonly underParent?: boolean;
}

export interface ToolResult {
  readonly isError?: boolean;
  readonly content: readonly { readonly text?: string }[];
  readonly structuredContent?: unknown;
}

/** The Node that `node` means, where our own process is Bun. */
export const machineNode = execFileSync('node', ['-p', 'process.execPath'], { encoding: 'utf8' }).trim();

const handshake = {
  protocolVersion: '2025-11-25',
  capabilities: {},
  clientInfo: { name: 'bench', version: '1' },
};

/** A shell gives background jobs no stdin unless it is named. */
const parent = ['-c', 'exec 3<&0; "$@" <&3 3<&- & echo $!; exec 3<&-; wait', 'sh'];

export function startBridge({
  args = [],
  env = {},
  node = machineNode,
  underParent = false,
}: BridgeStart = {}): BridgeHost {
  const line = [node, bridgeEntry, ...args];
  const [command = '', ...rest] = underParent ? ['/bin/sh', ...parent, ...line] : line;
  const startedMs = performance.now();
  const child = spawn(command, rest, {
    env: { ...bareEnvironment, ...env },
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  const callOff = atExit(() => child.kill('SIGKILL'));
  void once(child, 'exit').then(callOff);
  child.stdin.on('error', () => undefined);
  const inbox = openInbox(child);
  const send = (message: object) =>
    void child.stdin.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`);
  let ids = 0;
  return {
    child,
    pid: underParent ? inbox.firstNumber : Promise.resolve(child.pid ?? 0),
    startedMs,
    ended: inbox.ended,
    ask<Result>(method: string, params: object = {}, onProgress?: () => void) {
      ids += 1;
      const _meta = onProgress && { _meta: { progressToken: ids } };
      const answer = inbox.answerTo(ids, onProgress);
      send({ id: ids, method, params: { ...params, ..._meta } });
      return answer as Promise<Result>;
    },
    tell: (method) => send({ method }),
    async leave() {
      child.stdin.end();
      await inbox.ended;
    },
  };
}

/** As a host does first. */
export async function initialize(host: BridgeHost): Promise<void> {
  const answered = host.ask('initialize', handshake);
  host.tell('notifications/initialized');
  await answered;
}

export function callTool(host: BridgeHost, name: string, args: object = {}): Promise<ToolResult> {
  return host.ask<ToolResult>('tools/call', { name, arguments: args });
}

/** Starts a bridge, does the handshake, and closes it after use, also when that fails. */
export async function withBridge<T>(start: BridgeStart, use: (host: BridgeHost) => Promise<T>): Promise<T> {
  const host = startBridge(start);
  try {
    await initialize(host);
    return await use(host);
  } finally {
    await host.leave();
  }
}

interface Message {
  readonly id?: number;
  readonly result?: unknown;
  readonly error?: { readonly message: string };
  readonly params?: { readonly progressToken?: number };
}

interface Waiting {
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: Error) => void;
  readonly onProgress: (() => void) | undefined;
}

function openInbox({ stdout }: ChildProcess) {
  const waiting = new Map<number, Waiting>();
  let rest = '';
  let sayNumber: (pid: number) => void = () => undefined;
  const firstNumber = new Promise<number>((resolve) => {
    sayNumber = resolve;
  });
  const take = (line: string) => {
    const message = JSON.parse(line) as Message | number;
    if (typeof message === 'number') return sayNumber(message);
    const { id, result, error, params } = message;
    if (id === undefined) return waiting.get(params?.progressToken ?? 0)?.onProgress?.();
    const asker = waiting.get(id);
    waiting.delete(id);
    if (error) asker?.reject(new Error(`the bridge answered: ${error.message}`));
    else asker?.resolve(result);
  };
  stdout?.setEncoding('utf8').on('data', (text: string) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) take(line);
  });
  const ended = new Promise<void>((resolve) => void stdout?.once('close', resolve));
  void ended.then(() => {
    for (const { reject } of waiting.values()) reject(new Error('the bridge ended before it answered'));
  });
  const answerTo = (id: number, onProgress: (() => void) | undefined) =>
    new Promise<unknown>((resolve, reject) => waiting.set(id, { resolve, reject, onProgress }));
  return { firstNumber, ended, answerTo };
}
