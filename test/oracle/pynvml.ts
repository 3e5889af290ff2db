import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { delimiter, dirname } from 'node:path';

import { patienceMs } from './nvidia-smi.ts';

/** Evaluates each expression for each GPU. JSON on stdin and stdout; the names of pynvml are in scope. */
const script = `
import json, sys
import pynvml

def field(gpu, number, scope=0):
    answer, = pynvml.nvmlDeviceGetFieldValues(gpu, [(number, scope)])
    if answer.nvmlReturn:
        raise pynvml.NVMLError(answer.nvmlReturn)
    return getattr(answer.value, ['dVal', 'uiVal', 'ulVal', 'ullVal', 'sllVal', 'siVal', 'usVal'][answer.valueType])

def known(gpu, number, scope):
    try:
        return field(gpu, number, scope)
    except pynvml.NVMLError:
        return None

def link_bytes(gpu, all_links, one_link):
    kibibytes = known(gpu, all_links, 0xffffffff)
    if kibibytes is not None:
        return kibibytes * 1024
    counted = [count for link in range(field(gpu, 91)) if (count := known(gpu, one_link, link)) is not None]
    return sum(counted) if counted else field(gpu, all_links, 0xffffffff)

def ones(words):
    return [64 * at + bit for at, word in enumerate(words) for bit in range(64) if word >> bit & 1]

def told(gpu, expression):
    try:
        return json.dumps(eval(expression, {**vars(pynvml), **globals(), 'gpu': gpu}))
    except Exception as error:
        return f'[error: {error}]'

expressions = json.load(sys.stdin)
pynvml.nvmlInit()
answers = {}
for index in range(pynvml.nvmlDeviceGetCount()):
    gpu = pynvml.nvmlDeviceGetHandleByIndex(index)
    uuid = pynvml.nvmlDeviceGetUUID(gpu)
    uuid = uuid.decode() if isinstance(uuid, bytes) else uuid
    answers[uuid] = {expression: told(gpu, expression) for expression in expressions}
json.dump(answers, sys.stdout)
`;

/** By UUID: each expression's value as JSON, or `[error: …]`. */
export type PynvmlAnswers = Readonly<Record<string, Readonly<Record<string, string>>>>;

/** @returns why it cannot be asked here, or what it tells */
export async function readPynvml(
  python: string,
  library: string | undefined,
  expressions: readonly string[],
): Promise<{ readonly answers: PynvmlAnswers } | { readonly why: string }> {
  const child = spawn(python, ['-c', script], {
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
