import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

import { until } from '../bridge.ts';
import type { Exit } from '../bridge-process.ts';
import type { Id, Message, Persona } from './persona.ts';

export interface Host {
  readonly child: ChildProcess;
  readonly stderr: () => string;
  readonly exit: Promise<Exit>;
  /** Everything that the server has said, in its order. */
  readonly said: readonly Message[];
  /** Says the whole opening; what was answered, by method. */
  open(): Promise<Readonly<Record<string, Message>>>;
  /** Calls a tool and waits for the answer. */
  call(tool: string, args?: object): Promise<Message>;
  /** Calls a tool, and waits for nothing; what was sent. */
  begin(tool: string, args?: object): Message;
  answer(id: Id | undefined): Promise<Message>;
  send(message: Message): void;
  /** Bytes, whole messages or not. */
  write(bytes: string | Buffer): void;
  cancel(id: Id): void;
  /** As this host ends a server. */
  leave(): Promise<Exit>;
}

interface Started {
  readonly command: string;
  readonly args: readonly string[];
  /** What the entry in the host's settings sets. */
  readonly env?: Readonly<Record<string, string>>;
}

type Finish = (end: () => Promise<void>) => void;

/**
 * A server under this host. At the end of the test it is killed if it still runs, and looked at: nothing but JSON-RPC on
 * its stdout, and nothing answered twice.
 */
export function startHost(onTestFinished: Finish, persona: Persona, { command, args, env }: Started): Host {
  const child = spawn(command, args, { env: { ...persona.environment, ...env } });
  const exit = once(child, 'exit').then(([code, signal]): Exit => ({ code, signal }));
  const lines: string[] = [];
  const said: Message[] = [];
  let stderr = '';
  let calls = 0;
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  child.stdin.on('error', () => undefined);
  createInterface({ input: child.stdout }).on('line', (line) => {
    lines.push(line);
    const message = parsed(line);
    if (message) said.push(message);
  });
  onTestFinished(async () => {
    child.kill('SIGKILL');
    await exit;
    lookAt(lines);
  });

  const write = (bytes: string | Buffer) => void child.stdin.write(bytes);
  const send = (message: Message) => write(`${JSON.stringify(message)}\n`);
  const answerTo = (id: Id | undefined) => said.find((each) => each.id === id && each.method === undefined);
  const answer = async (id: Id | undefined) => {
    await until(`an answer to ${JSON.stringify(id)}; stderr: ${stderr}`, () => answerTo(id) !== undefined);
    return answerTo(id) ?? {};
  };
  const begin = (tool: string, given?: object) => {
    const message = persona.call(tool, given, calls);
    calls += 1;
    send(message);
    return message;
  };
  return {
    child,
    stderr: () => stderr,
    exit,
    said,
    send,
    write,
    answer,
    begin,
    call: (tool, given) => answer(begin(tool, given).id),
    cancel: (id) => send(persona.cancel(id)),
    async open() {
      const answers: Record<string, Message> = {};
      for (const group of persona.opening) {
        for (const message of group) send(message);
        for (const { id, method = '' } of group.filter(isAnsweredAtOnce)) answers[method] = await answer(id);
      }
      return answers;
    },
    leave() {
      if (persona.leaves === 'closes stdin') child.stdin.end();
      else child.kill(persona.leaves);
      return exit;
    },
  };
}

/** A subscription is acknowledged, and answered when it ends. */
function isAnsweredAtOnce({ id, method }: Message): boolean {
  return id !== undefined && method !== 'subscriptions/listen';
}

function lookAt(lines: readonly string[]): void {
  const answered = new Set<Id>();
  for (const line of lines) {
    const { jsonrpc, id, method } = parsed(line) ?? {};
    if (jsonrpc !== '2.0') throw new Error(`no JSON-RPC on stdout: ${line}`);
    if (method !== undefined || id === undefined) continue;
    if (answered.has(id)) throw new Error(`answered twice: ${line}`);
    answered.add(id);
  }
}

function parsed(line: string): Message | undefined {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
