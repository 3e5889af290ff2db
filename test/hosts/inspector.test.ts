import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';

import { tools } from '../../src/tools/index.ts';
import { agentProgram, startAgent } from '../support/agent.ts';
import { bridgeEntry } from '../support/build.ts';
import { npmPrograms, whyNoPrograms } from '../support/npm-programs.ts';

const whyNot = whyNoPrograms();
const skipped = whyNot ? ` (skipped: ${whyNot})` : '';
const eras = ['legacy', 'modern'] as const;
const simulated = ['--nvml-mode', 'simulated'] as const;
const bridge = [process.execPath, bridgeEntry] as const;

/** It keeps a file in the home of its user. */
const home = mkdtempSync(join(tmpdir(), 'k8s-gpu-mcp-inspector-'));
afterAll(() => rmSync(home, { recursive: true, force: true }));

interface Inspected {
  readonly code: number;
  /** What the server answered, and what the Inspector has to say of the schemas in it. */
  readonly result: {
    readonly tools?: readonly unknown[];
    readonly content?: readonly { readonly text: string }[];
  };
  readonly findings: readonly { readonly severity: string; readonly schema: string; readonly path: string }[];
  readonly stderr: string;
}

/** The official Inspector's command line: `target` is a URL, or a program with its arguments. */
function inspect(
  target: readonly string[],
  era: (typeof eras)[number],
  method: readonly string[],
): Promise<Inspected> {
  const how = ['--cli', '--protocol-era', era, '--format', 'json', '--method', ...method];
  const args = [npmPrograms.entry('inspector'), ...how, '--', ...target];
  return new Promise((resolve, reject) => {
    const env = { PATH: process.env['PATH'], HOME: home };
    execFile(npmPrograms.node('24'), args, { env, maxBuffer: 2 ** 24 }, (error, stdout, stderr) => {
      const code = error ? error.code : 0;
      if (typeof code !== 'number') return reject(error);
      const { result = {}, schemaFindings = [] } = JSON.parse(stdout || '{}');
      const findings = schemaFindings.flatMap((one: Pick<Inspected, 'findings'>) => one.findings);
      resolve({ code, result, findings, stderr });
    });
  });
}

const listStrictly = ['tools/list', '--strict'];

describe.skipIf(whyNot).for(eras)(`the Inspector, as a host of the %s era${skipped}`, (era) => {
  test('finds nothing in the tools of an agent over HTTP', async (context) => {
    const { url } = await startAgent(context, { args: simulated });

    const { code, result, findings } = await inspect([url], era, listStrictly);

    expect({ code, findings }).toEqual({ code: 0, findings: [] });
    expect(result.tools).toHaveLength(tools.length);
  });

  test.for([
    ['the compiled agent', [agentProgram, ...simulated]],
    ['the bridge', bridge],
  ] as const)('finds nothing in the tools of %s over stdio', async ([, target]) => {
    const { code, result, findings } = await inspect(target, era, listStrictly);

    expect({ code, findings }).toEqual({ code: 0, findings: [] });
    expect(result.tools).toHaveLength(tools.length);
  });

  // It warns of values that can be null, which some model APIs cannot express: none may be in what those get, the arguments.
  test('finds no error with --structured, and what it warns of is in the schemas of answers', async () => {
    const { code, result, findings } = await inspect([...bridge, '--structured'], era, listStrictly);

    expect(code).toBe(0);
    expect(new Set(findings.map(({ severity, schema }) => `${severity} ${schema}`))).toEqual(
      new Set(['warning outputSchema']),
    );
    expect(result.tools).toHaveLength(tools.length);
  });

  test.for([
    ['the bridge', []],
    ['the bridge with --structured', ['--structured']],
  ] as const)('calls a tool of %s, which asks an agent', async ([, flags], context) => {
    const { url } = await startAgent(context, { args: simulated });
    const target = [...bridge, '--node', `gpu-1=${new URL(url).origin}`, ...flags];
    const health = ['tools/call', '--tool-name', 'get_gpu_health'];

    const answer = await inspect(target, era, health);
    const refusal = await inspect(target, era, [...health, '--tool-arg', 'gpu=99']);
    const unknown = await inspect(target, era, ['tools/call', '--tool-name', 'get_gpu_colour']);

    expect(answer.code, answer.stderr).toBe(0);
    expect(answer.result.content?.[0]?.text).toMatch(
      /^success: 1 of 1 GPU node answered[\s\S]*8 GPUs on 1 node: 8 ok/,
    );
    expect('structuredContent' in answer.result).toBe(flags.length > 0);
    expect(refusal.code).toBe(5); // its code for a tool's own error
    expect(refusal.result.content?.[0]?.text).toMatch(/^GPU_NOT_FOUND: no GPU 99 on gpu-1\./);
    expect(unknown.stderr).toContain('tool_not_found');
  });

  test('calls a tool of an agent over HTTP', async (context) => {
    const { url } = await startAgent(context, { args: simulated });
    const health = ['tools/call', '--tool-name', 'get_gpu_health'];

    const answer = await inspect([url], era, health);
    const refusal = await inspect([url], era, [...health, '--tool-arg', 'gpu=99']);

    expect(answer.code, answer.stderr).toBe(0);
    expect(answer.result.content?.[0]?.text).toContain('8 GPUs on 1 node: 8 ok.');
    expect(refusal.code).toBe(5);
    expect(refusal.result.content?.[0]?.text).toMatch(/^GPU_NOT_FOUND/);
  });
});
