import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { delimiter, dirname, join } from 'node:path';

import { patienceMs } from './nvidia-smi.ts';

const script = join(import.meta.dirname, 'ask-pynvml.py');

/** By UUID: each expression's value as JSON, or `[error: …]`. */
export type PynvmlAnswers = Readonly<Record<string, Readonly<Record<string, string>>>>;

/** @returns why it cannot be asked here, or what it tells */
export async function readPynvml(
  python: string,
  library: string | undefined,
  expressions: readonly string[],
): Promise<{ readonly answers: PynvmlAnswers } | { readonly why: string }> {
  const child = spawn(python, [script], {
    env: library === undefined ? process.env : withLibrary(process.env, library),
    timeout: patienceMs,
  });
  let [stdout, stderr] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  child.stdin.on('error', () => undefined); // it has ended without reading: its last words say why
  child.stdin.end(JSON.stringify(expressions));
  try {
    const [code] = await once(child, 'close');
    if (code === 0) return { answers: JSON.parse(stdout) };
  } catch (thrown) {
    return { why: `${python}: ${(thrown as Error).message}` };
  }
  return { why: stderr.trim().split('\n').at(-1) ?? '' };
}

/** pynvml loads the library by its name only. */
function withLibrary(env: NodeJS.ProcessEnv, library: string): NodeJS.ProcessEnv {
  const folders = [dirname(library), env['LD_LIBRARY_PATH']].filter((folder) => folder !== undefined);
  return { ...env, LD_LIBRARY_PATH: folders.join(delimiter) };
}
