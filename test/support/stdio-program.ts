import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

/** Says each message to a program on its stdin and waits for the line that answers it, as it is; then kills the program. */
export async function answersOf(
  command: string,
  args: readonly string[],
  messages: readonly object[],
): Promise<string[]> {
  const program = spawn(command, args, { env: {}, stdio: ['pipe', 'pipe', 'ignore'] });
  const ended = once(program, 'close');
  const lines = createInterface({ input: program.stdout })[Symbol.asyncIterator]();
  const answers: string[] = [];
  try {
    for (const message of messages) {
      program.stdin.write(`${JSON.stringify(message)}\n`);
      const { value, done } = await lines.next();
      if (done) throw new Error(`${command} has ended`);
      answers.push(value);
    }
    return answers;
  } finally {
    program.kill('SIGKILL');
    await ended;
  }
}
