import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

/** What a host reads from its file. */
export interface Entry {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

/** What launchd and desktops give to a program: no shell's PATH, and nothing of ours. */
export function desktopEnvironment(home: string): Record<string, string> {
  return { HOME: home, USER: 'me', LANG: 'C.UTF-8', PATH: '/usr/bin:/bin:/usr/sbin:/sbin' };
}

export const listTools = { method: 'tools/list', params: {} };

interface Start {
  readonly entry: Entry;
  readonly home: string;
  readonly calls: readonly object[];
  readonly cwd?: string;
}

/**
 * As a host does it: one process, its entry's variables over the desktop's, the handshake of 2025, and these calls.
 *
 * @returns the answers to the calls, in their order
 */
export async function startAsHost(
  onTestFinished: (end: () => void) => void,
  { entry: { command, args, env }, home, calls, cwd = '/' }: Start,
): Promise<readonly unknown[]> {
  const child = spawn(command, args, { cwd, env: { ...desktopEnvironment(home), ...env } });
  const closed = once(child, 'close');
  onTestFinished(() => void child.kill('SIGKILL'));
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  child.stdin.on('error', () => undefined);
  const clientInfo = { name: 'host', version: '1' };
  const params = { protocolVersion: '2025-06-18', capabilities: {}, clientInfo };
  const requests = [{ method: 'initialize', params }, ...calls];
  for (const [id, request] of requests.entries())
    child.stdin.write(`${JSON.stringify({ jsonrpc: '2.0', id, ...request })}\n`);
  const answers = new Map<unknown, unknown>();
  for await (const line of createInterface({ input: child.stdout })) {
    const { id, ...answer } = JSON.parse(line);
    answers.set(id, answer);
    if (answers.size === requests.length) child.stdin.end();
  }
  await closed;
  return calls.map((_, at) => answers.get(at + 1) ?? stderr);
}
