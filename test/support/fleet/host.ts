import { Client } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import { bridgeEntry } from '../build.ts';

export interface Answer {
  readonly text: string;
  readonly isError: boolean;
  /** The envelope and what the tool says. */
  readonly structured: Envelope;
  readonly tookMs: number;
}

interface Envelope {
  readonly status: string;
  readonly nodesTotal: number | null;
  readonly answered: number;
  readonly failed: readonly { readonly node: string; readonly code: string; readonly lastTriedAt: string }[];
  readonly withoutAgent: readonly { readonly node: string; readonly why: string }[];
  readonly rows?: readonly unknown[];
  readonly page?: { readonly nextCursor: string | null };
}

/** A host with a bridge of its own: the built program as a child, spoken to over stdio. */
export interface Host {
  call(tool: string, args?: Record<string, unknown>): Promise<Answer>;
  /** Calls until no page is left: the first page's answer, with the rows of all. */
  callAll(tool: string, args?: Record<string, unknown>): Promise<Answer>;
  /** Milliseconds from closing stdin until the bridge is gone. */
  leave(): Promise<number>;
}

export async function host(kubeconfig: string, ...flags: string[]): Promise<Host> {
  const client = new Client({ name: 'test-host', version: '1' }, { versionNegotiation: { mode: 'auto' } });
  const transport = new StdioClientTransport({
    command: process.execPath,
    args: [bridgeEntry, '--structured', ...flags],
    env: { KUBECONFIG: kubeconfig, PATH: process.env['PATH'] ?? '' },
  });
  await client.connect(transport);

  async function call(name: string, args: Record<string, unknown> = {}): Promise<Answer> {
    const startedMs = performance.now();
    const result = await client.callTool({ name, arguments: args });
    const [block] = result.content;
    return {
      text: block?.type === 'text' ? block.text : '',
      isError: result.isError === true,
      structured: result.structuredContent as unknown as Envelope,
      tookMs: performance.now() - startedMs,
    };
  }

  return {
    call,
    async callAll(name, args = {}) {
      const first = await call(name, args);
      const rows = [...(first.structured.rows ?? [])];
      for (let cursor = first.structured.page?.nextCursor; cursor; ) {
        const { structured } = await call(name, { ...args, cursor });
        rows.push(...(structured.rows ?? []));
        cursor = structured.page?.nextCursor;
      }
      return { ...first, structured: { ...first.structured, rows } };
    },
    async leave() {
      const startedMs = performance.now();
      await client.close();
      return performance.now() - startedMs;
    },
  };
}
