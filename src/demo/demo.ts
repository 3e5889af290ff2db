import { Client } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';

import { version } from '../version.ts';
import type { NamedUrl } from './nodes.ts';

/** How to start this very program again. */
export interface Program {
  readonly command: string;
  readonly entry: string;
}

const questions = [
  ['Are all GPUs of my cluster healthy?', 'get_gpu_health', {}],
  ['Which GPUs do I have?', 'get_gpu_inventory', {}],
  ['Tell me everything about that GPU.', 'get_gpu_health', { nodes: ['gpu-node-2'], gpu: 3 }],
] as const;

/** Starts a bridge as a host would, asks it what an assistant would, and prints questions and answers. */
export async function showDemo(
  nodes: readonly NamedUrl[],
  { command, entry }: Program,
  write: (text: string) => void,
): Promise<void> {
  const args = [entry, ...nodes.flatMap(({ name, url }) => ['--node', `${name}=${url.origin}`])];
  const client = new Client({ name: 'k8s-gpu-mcp-demo', version }, { versionNegotiation: { mode: 'auto' } });
  await client.connect(new StdioClientTransport({ command, args }));
  write('Four simulated GPU nodes run on this machine, one of them dead. A host asks the bridge:\n');
  for (const [question, tool, given] of questions) {
    const { content } = await client.callTool({ name: tool, arguments: given });
    const words = Object.keys(given).length > 0 ? ` ${JSON.stringify(given)}` : '';
    write(`\n> ${question}   [${tool}${words}]\n\n`);
    for (const block of content) if (block.type === 'text') write(`${indented(block.text)}\n`);
  }
  await client.close();
  write(`\n${howToGoOn({ command, entry })}\n`);
}

function indented(text: string): string {
  return text.replaceAll(/^/gm, '  ');
}

/** What a host is to start: this very program; where npm has put it, by npx, since such a folder comes and goes. */
export function serverEntry({ command, entry }: Program, args: readonly string[]) {
  return /[\\/]node_modules[\\/]/.test(entry)
    ? { command: 'npx', args: ['-y', 'k8s-gpu-mcp', ...args] }
    : { command, args: [entry, ...args] };
}

function howToGoOn(program: Program): string {
  const server = (args: readonly string[]) =>
    JSON.stringify({ mcpServers: { 'k8s-gpu-mcp': serverEntry(program, args) } }, null, 2);
  return [
    'To ask these nodes from Claude Desktop, paste this into claude_desktop_config.json:',
    '',
    server(['demo', '--stdio']),
    '',
    'And to ask your own cluster, with the kubeconfig you have:',
    '',
    server([]),
  ].join('\n');
}
