import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { debianProgram, whyNoProgram } from '../support/debian.ts';
import type { HttpRequest } from './agent-requests.ts';
import { diesWithUs, temporaryFolder } from './processes.ts';

const connections = 8;
/** An answer that takes longer counts as one that did not come. */
const patienceS = 10;

export interface Load {
  readonly url: string;
  /** Sent in turn. */
  readonly requests: readonly HttpRequest[];
  readonly forS: number;
  /** Ends it earlier: after so many answers, each of which then must be of status 200 and carry `expect`. */
  readonly untilAnswers?: { readonly count: number; readonly expect: string };
  readonly signal?: AbortSignal;
  /** What starts it elsewhere, such as in the network of a pod: a program and its arguments. */
  readonly within?: readonly [string, ...string[]];
}

/** What wrk saw. Times are those of each call. */
export interface LoadResult {
  readonly answers: number;
  readonly seconds: number;
  /** Refused or broken connections, answers later than the patience, and answers that were not what was expected. */
  readonly failed: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

/** A load generator in C: on two cores one in JavaScript would measure itself. */
const program = () => debianProgram('usr/bin/wrk', ['wrk', 'libluajit-5.1-2']);

/** Why there is no wrk here, or undefined where it is installed, or could be fetched (0.3 MB, once). */
export function whyNoWrk(): string | undefined {
  return whyNoProgram(program);
}

/**
 * Puts load on a server from another process.
 *
 * @throws Error when wrk fails, or the signal's reason
 */
export async function wrk(load: Load): Promise<LoadResult> {
  const { command, env } = program();
  using temporary = temporaryFolder();
  const script = join(temporary.folder, 'load.lua');
  writeFileSync(script, loadScript(load));
  const options = ['-t1', `-c${connections}`, `-d${load.forS}s`, `--timeout=${patienceS}s`, `-s${script}`];
  const [first, ...rest] = [...(load.within ?? []), command, ...options, load.url] as [string, ...string[]];
  return resultIn(await outputOf(first, rest, { ...process.env, ...env }, load.signal));
}

async function outputOf(
  command: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv,
  signal: AbortSignal | undefined,
): Promise<string> {
  const child = spawn(...diesWithUs(command, args), { env, stdio: ['ignore', 'pipe', 'inherit'] });
  const stop = () => child.kill('SIGKILL');
  let stdout = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  signal?.addEventListener('abort', stop);
  const [code] = await once(child, 'close');
  signal?.removeEventListener('abort', stop);
  signal?.throwIfAborted();
  if (code !== 0) throw new Error(`wrk ended with ${code}: ${stdout}`);
  return stdout;
}

/** The last line is ours: see `done` in the script. */
function resultIn(output: string): LoadResult {
  const line = output.trimEnd().split('\n').at(-1) ?? '';
  if (!line.startsWith('{')) throw new Error(`wrk said nothing of its result: ${output}`);
  return JSON.parse(line) as LoadResult;
}

/**
 * The answers are looked at in Lua only where so many are wanted: else looking would be part of what is measured, and
 * who calls asks the agent's own counters whether all went well.
 */
export function loadScript({ requests, untilAnswers }: Pick<Load, 'requests' | 'untilAnswers'>): string {
  return [
    'local requests = {}',
    'function init()',
    ...requests.map(
      ({ headers, body }) =>
        `  requests[#requests + 1] = wrk.format("POST", nil, ${luaTable(headers)}, ${luaString(body)})`,
    ),
    'end',
    'local sent = 0',
    'function request()',
    '  sent = sent + 1',
    '  return requests[sent % #requests + 1]',
    'end',
    ...(untilAnswers ? countingScript(untilAnswers) : []),
    doneScript,
  ].join('\n');
}

function countingScript({ count, expect }: { count: number; expect: string }): string[] {
  return [
    'local ffi = require("ffi")',
    'ffi.cdef("int getpid(void); int kill(int pid, int signal);")',
    'answers, wrong = 0, 0',
    'function response(status, headers, body)',
    '  answers = answers + 1',
    `  if status ~= 200 or not body:find(${luaString(expect)}, 1, true) then wrong = wrong + 1 end`,
    `  if answers == ${count} then`,
    '    wrk.thread:stop()',
    '    ffi.C.kill(ffi.C.getpid(), 2) -- SIGINT: its main thread would sleep until the time is over',
    '  end',
    'end',
    'local threads = {}',
    'function setup(thread) threads[#threads + 1] = thread end',
    'function wrongOnes()',
    '  local sum = 0',
    '  for _, thread in ipairs(threads) do sum = sum + thread:get("wrong") end',
    '  return sum',
    'end',
  ];
}

// wrk counts a status over 399 in errors.status, and such an answer is wrong in ours too: the larger of the two is taken.
const doneScript = `
function done(summary, latency)
  local e = summary.errors
  local wrong = wrongOnes and wrongOnes() or 0
  io.write(string.format(
    '\\n{"answers":%d,"seconds":%f,"failed":%d,"p50Ms":%f,"p99Ms":%f,"maxMs":%f}\\n',
    summary.requests, summary.duration / 1e6, e.connect + e.read + e.write + e.timeout + math.max(e.status, wrong),
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3, latency.max / 1e3))
end`;

function luaTable(values: Readonly<Record<string, string>>): string {
  const entries = Object.entries(values).map(([name, value]) => `[${luaString(name)}] = ${luaString(value)}`);
  return `{ ${entries.join(', ')} }`;
}

/** Strings of JSON and HTTP need no other escapes than these. */
function luaString(text: string): string {
  return `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')}"`;
}
