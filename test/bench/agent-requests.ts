import { headersOf, request } from '../../src/mcp/request.ts';
import { requestIdMeta, structuredMeta } from '../../src/mcp/tools.ts';
import { version } from '../../src/version.ts';

export interface HttpRequest {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export const tools = ['get_gpu_health', 'get_gpu_inventory'] as const;
/** Those that are not answered from the newest readings alone: from the history, the event log, or the driver itself. */
export const otherTools = [
  'get_gpu_processes',
  'get_gpu_topology',
  'analyze_xid_errors',
  'get_gpu_timeline',
] as const;
export type ToolName = (typeof tools)[number] | (typeof otherTools)[number] | 'get_gpu_metrics';

/** A tool call as the bridge makes it. */
export function bridgeCall(tool: ToolName): HttpRequest {
  const meta = { [structuredMeta]: true, [requestIdMeta]: 'a9f15c00' };
  return toolCall(tool, { detail: 'full' }, meta);
}

/** A tool call that is answered in words, as by `kubectl exec`. */
export function textCall(tool: ToolName): HttpRequest {
  return toolCall(tool, {}, {});
}

function toolCall(tool: ToolName, args: object, meta: Record<string, unknown>): HttpRequest {
  const message = request('tools/call', { name: tool, arguments: args }, { version, meta });
  return { headers: headersOf(message), body: JSON.stringify(message) };
}

/** What only an answer in data contains that has every GPU of a fake node, which are numbered in their UUIDs. */
export function lastGpuOf(gpus: number): string {
  return `"uuid":"GPU-00000000-0000-4000-8000-${String(gpus - 1).padStart(12, '0')}"`;
}

/** @throws Error unless the answer is whole: a call that fails is fast, and would be counted as a good one */
export async function checkAnswer(url: string, { headers, body }: HttpRequest, gpus: number): Promise<void> {
  const response = await fetch(url, { method: 'POST', headers: { ...headers }, body });
  checkText(await response.text(), gpus, `HTTP ${response.status}`);
}

interface Answer {
  readonly result?: {
    readonly isError?: boolean;
    /** Of the kernel log's events it is only told how many GPUs the node has. */
    readonly structuredContent?: { gpus: unknown[] | number; driver: { state: string } };
    readonly content: { text: string }[];
  };
}

export function checkText(answer: string, gpus: number, origin: string): void {
  const { result } = JSON.parse(answer) as Answer;
  const data = result?.structuredContent;
  const whole = data
    ? data.driver.state === 'ok' && hasAll(data.gpus, gpus, answer)
    : new RegExp(`\\b${gpus} (GPUs|× NVIDIA H100)`).test(result?.content[0]?.text ?? '');
  if (!whole || result?.isError) throw new Error(`not an answer for ${gpus} GPUs (${origin}): ${answer}`);
}

function hasAll(told: unknown[] | number, gpus: number, answer: string): boolean {
  return typeof told === 'number' ? told === gpus : told.length === gpus && answer.includes(lastGpuOf(gpus));
}
