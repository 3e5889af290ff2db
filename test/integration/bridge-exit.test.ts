import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, test } from 'vitest';

import { startTestFleet, type TestFleet, until } from '../support/bridge.ts';
import {
  type BridgeProcess,
  bareEnvironment,
  initialize,
  isRunning,
  nodeFlags,
  startBridge,
} from '../support/bridge-process.ts';
import { bridgeEntry } from '../support/build.ts';
import { faults } from '../support/fault-proxy.ts';

/** The promise is 1 s; a busy machine gets more before a test fails. */
const patienceMs = 5000;
const toolCall = { name: 'get_gpu_health', arguments: {} };

/** How a host's end shows. */
const ends: Readonly<Record<string, (bridge: BridgeProcess) => unknown>> = {
  'the end of stdin': ({ child }) => child.stdin?.end(),
  SIGTERM: ({ child }) => child.kill('SIGTERM'),
  SIGINT: ({ child }) => child.kill('SIGINT'),
  SIGHUP: ({ child }) => child.kill('SIGHUP'),
  'stdout that nobody reads': (bridge) => {
    bridge.child.stdout?.destroy();
    bridge.send({ id: 99, method: 'ping', params: {} });
  },
};

const moments: Readonly<Record<string, (bridge: BridgeProcess, fleet: TestFleet) => Promise<unknown>>> = {
  'at once': async () => undefined,
  'after the handshake': (bridge) => initialize(bridge),
  'with open streams': async (bridge) => {
    await initialize(bridge);
    await bridge.ask('tools/call', toolCall);
  },
  'in the middle of a call, a node being a black hole': inMidCall,
};

describe.concurrent('the bridge ends with its host', () => {
  for (const [end, leave] of Object.entries(ends))
    for (const [moment, arrive] of Object.entries(moments))
      test(`by ${end}, ${moment}`, async ({ annotate, expect, onTestFinished }) => {
        const fleet = await startTestFleet(onTestFinished);
        const bridge = startBridge(onTestFinished, { args: nodeFlags(fleet) });
        if (moment === 'at once') await until('it runs', () => isListening(bridge));
        await arrive(bridge, fleet);

        const leftMs = performance.now();
        leave(bridge);
        const { code, signal } = await bridge.exit;

        const tookMs = performance.now() - leftMs;
        await annotate(`gone after ${tookMs.toFixed(0)} ms`);
        expect({ code, signal }).toEqual({ code: 0, signal: null });
        expect(tookMs).toBeLessThan(patienceMs);
        await until('its streams are closed', () =>
          Object.values(fleet.nodes).every((node) => node.open() === 0),
        );
      });

  test.for(['after the handshake', 'in the middle of a call'])(
    'when its parent is killed, %s, and stdin stays open',
    async (moment, { expect, onTestFinished }) => {
      const fleet = await startTestFleet(onTestFinished);
      fleet.nodes.b.behave(moment === 'after the handshake' ? () => undefined : faults.blackHole);
      const { parent, bridgePid, ask } = await underParent(onTestFinished, nodeFlags(fleet));
      ask({ id: 1, method: 'initialize', params: handshake });
      if (moment !== 'after the handshake') {
        ask({ id: 2, method: 'tools/call', params: toolCall });
        await until('b is asked', () => fleet.nodes.b.received.length > 0);
      }

      const leftMs = performance.now();
      parent.kill('SIGKILL');
      await until('the bridge has gone', () => !isRunning(bridgePid));

      expect(performance.now() - leftMs).toBeLessThan(patienceMs);
      await until('its streams are closed', () =>
        Object.values(fleet.nodes).every((node) => node.open() === 0),
      );
    },
  );
});

const handshake = {
  protocolVersion: '2025-11-25',
  capabilities: {},
  clientInfo: { name: 'test', version: '1' },
};

async function inMidCall(bridge: BridgeProcess, { nodes }: TestFleet): Promise<void> {
  await initialize(bridge);
  nodes.b.behave(faults.blackHole);
  bridge.send({ id: 50, method: 'tools/call', params: toolCall });
  await until('b is asked', () => nodes.b.received.length === 1);
}

/** Its signal handlers are there once it has read its flags: before that, a signal ends it as it ends any program. */
async function isListening(bridge: BridgeProcess): Promise<boolean> {
  return (await bridge.ask('ping'))['jsonrpc'] === '2.0';
}

/**
 * A host that starts the bridge and hands its own stdin on, which another process (this test) holds open: then only the
 * parent's death shows that the host has gone, as behind `npx`.
 */
async function underParent(onTestFinished: (end: () => Promise<void>) => void, args: readonly string[]) {
  const program = `
    const { spawn } = require('node:child_process');
    const [node, ...args] = process.argv.slice(1);
    const bridge = spawn(node, args, { stdio: ['inherit', 'ignore', 'ignore'] });
    process.stdout.write(bridge.pid + '\\n');
    setInterval(() => {}, 1000);`;
  const parent = spawn(process.execPath, ['-e', program, process.execPath, bridgeEntry, ...args], {
    env: { ...bareEnvironment },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const [line] = await once(parent.stdout, 'data');
  const bridgePid = Number(String(line));
  onTestFinished(async () => {
    parent.kill('SIGKILL');
    if (isRunning(bridgePid)) process.kill(bridgePid, 'SIGKILL');
  });
  const ask = (message: object) =>
    void parent.stdin.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`);
  return { parent, bridgePid, ask };
}
