import { beforeAll, describe, expect, test } from 'vitest';

import { runBridge } from '../support/bridge-process.ts';
import { claudeDesktop } from '../support/hosts/claude.ts';
import { startHost } from '../support/hosts/host.ts';
import type { Message } from '../support/hosts/persona.ts';

interface Entry {
  readonly command: string;
  readonly args: readonly string[];
}

function textOf({ result }: Message): string {
  const [block] = (result?.['content'] ?? []) as { text?: string }[];
  return block?.text ?? '';
}

describe('the first quarter of an hour: the demo, and what it says to paste', () => {
  let entry: Entry;
  beforeAll(async () => {
    const ends: (() => Promise<void>)[] = [];
    const { stdout } = await runBridge((end) => void ends.push(end), { args: ['demo'] });
    const [, json = ''] = /^(\{\n.*?^\})$/ms.exec(stdout) ?? [];
    entry = JSON.parse(json).mcpServers['k8s-gpu-mcp'];
    for (const end of ends) await end();
  });

  test('pasted into Claude Desktop, it answers there as it did in the terminal', async ({
    onTestFinished,
  }) => {
    const host = startHost(onTestFinished, claudeDesktop, entry);
    await host.open();

    const health = textOf(await host.call('get_gpu_health', {}));
    const about = textOf(await host.call('get_gpu_health', { nodes: ['gpu-node-2'], gpu: 3 }));

    expect(health).toMatch(
      /^partial: 3 of 4 GPU nodes answered .*\nNO ANSWER from gpu-node-4: NODE_UNREACHABLE: /,
    );
    expect(health).toMatch(/\nSIMULATED DATA: .*\n24 GPUs on 3 nodes: 1 failed, 23 ok\./);
    expect(about).toMatch(/^success: 1 of 1 node asked answered .*\nSIMULATED DATA[\s\S]*Action resetGpu/);
    expect(await host.leave()).toEqual({ code: 0, signal: null });
    expect(host.stderr()).toBe('');
  });

  test('asks the same questions that a person asks next, and is answered', async ({ onTestFinished }) => {
    const host = startHost(onTestFinished, claudeDesktop, entry);
    await host.open();

    const one = textOf(await host.call('get_gpu_inventory', { nodes: ['gpu-node-4'] }));
    const gone = textOf(await host.call('get_gpu_inventory', { nodes: ['gpu-node-5'] }));
    const any = textOf(await host.call('get_gpu_inventory', { nodes: ['any'] }));

    expect(one).toMatch(
      /^error: 0 of 1 node asked answered .*\nNO ANSWER from gpu-node-4: NODE_UNREACHABLE: /,
    );
    expect(gone).toMatch(
      /^NODE_NOT_FOUND: no GPU node matches gpu-node-5; there are gpu-node-\[1-4\]\. Leave `nodes` out/,
    );
    expect(any).toMatch(/^success: 1 of 1 node asked answered /);
  });
});
