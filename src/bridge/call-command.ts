import { z } from 'zod';

import { badFlag } from '../core/command-line.ts';
import { Fault } from '../core/fault.ts';
import { splitNames } from '../core/names.ts';
import { isTimeout } from '../core/time-limit.ts';
import { sentence } from '../core/words.ts';
import { toolNamed } from '../tools/index.ts';
import type { Tool } from '../tools/tool.ts';
import { type BridgeAnswer, callTool, fleetInput } from './bridge.ts';
import { exitCodes } from './exit-codes.ts';
import type { Fleet } from './fleet/fleet.ts';

export interface Printed {
  readonly stdout: string;
  readonly stderr: string;
  readonly exitCode: number;
}

/** Asks once and says what to print. What a person mistyped is said on stderr; an answer goes to stdout. */
export async function callCommand(
  open: () => Promise<Fleet>,
  name: string,
  words: readonly string[],
  { structured, signal }: { structured: boolean; signal: AbortSignal },
): Promise<Printed> {
  let fleet: Fleet | undefined;
  try {
    const tool = toolNamed(name);
    const args = argumentsOf(tool, words);
    fleet = await open();
    const answer = await callTool(fleet, tool, args, { signal, onProgress: () => undefined });
    const text = structured ? JSON.stringify(answer.structured, null, 2) : answer.text;
    return { stdout: `${text}\n`, stderr: '', exitCode: exitCodeOf(answer) };
  } catch (thrown) {
    return refused(Fault.from(thrown));
  } finally {
    fleet?.close(); // also ends a credential plugin that hangs
  }
}

function refused(fault: Fault): Printed {
  const { code, message, hint, cause } = fault;
  const said = `${sentence(message)} ${hint}\n`;
  if (code === 'BAD_FLAG' || code === 'BAD_ARGUMENT')
    return { stdout: '', stderr: said, exitCode: exitCodes.usage };
  const late = code === 'NODE_TIMEOUT' || isTimeout(cause);
  return { stdout: '', stderr: `${code}: ${said}`, exitCode: late ? exitCodes.timeout : exitCodes.failed };
}

function exitCodeOf({ status, failed }: BridgeAnswer): number {
  if (status === 'success') return exitCodes.ok;
  if (status === 'partial') return exitCodes.partial;
  const late = failed.length > 0 && failed.every(({ code }) => code === 'NODE_TIMEOUT');
  return late ? exitCodes.timeout : exitCodes.failed;
}

/** `key=value …`, lists by comma; or one JSON object. Whether the values are right the tool's schema says later. */
function argumentsOf(tool: Tool, words: readonly string[]): Record<string, unknown> {
  const [first] = words;
  if (words.length === 1 && first?.trimStart().startsWith('{')) return jsonObject(first);
  const { properties = {} } = z.toJSONSchema(fleetInput(tool), { io: 'input' });
  return Object.fromEntries(
    words.map((word) => {
      const [, key, value] = /^([^=]+)=(.*)$/s.exec(word) ?? [];
      if (key === undefined || value === undefined)
        throw badFlag(
          `'${word}' is not of the form key=value; keys are ${Object.keys(properties).join(', ')}`,
        );
      return [key, typed(value, properties[key])];
    }),
  );
}

function typed(value: string, schema: unknown): unknown {
  const type = (schema as { type?: string } | undefined)?.type;
  if (type === 'array') return splitNames(value);
  if (type === 'integer' && /^\d+$/.test(value)) return Number(value);
  if (type === 'boolean' && /^(true|false)$/.test(value)) return value === 'true';
  return value;
}

function jsonObject(text: string): Record<string, unknown> {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw badFlag(`the arguments are not JSON: ${(cause as Error).message}`, cause);
  }
}
