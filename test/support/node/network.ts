import { execFile, spawnSync } from 'node:child_process';
import { promisify } from 'node:util';
import type { Workshop } from '../cluster/workshop.ts';

const run = promisify(execFile);
const ip = (...args: string[]) => run('ip', args);

/** How this machine and the nodes of one cluster reach each other, and the pods. */
export interface Network {
  /** Of this machine, as nodes and pods see it. */
  readonly hostAddress: string;
  /** Plugs a node in, whose network namespace is that of process `pid`. The first node's `index` is 0. */
  plug(index: number, pid: number): Promise<void>;
  addressOf(index: number): string;
  /** Such as `198.18.1.0/24`: the node's own pods. */
  podRangeOf(index: number): string;
}

/** At most so many nodes: a cluster has sixteen ranges of 256 addresses, and the first is that of the nodes. */
const maxNodes = 15;

/**
 * A switch in a network namespace of its own, hence out of reach of this machine's firewall, and gone with the process that
 * keeps it. The addresses are those set aside for benchmarks (RFC 2544), which no network uses; which part of them is told
 * by the first interface name that is free, so that clusters can run side by side.
 */
export async function startNetwork(workshop: Workshop): Promise<Network> {
  const keep =
    'ip link set lo up; ip link add gpu-mcp-switch type bridge; ip link set gpu-mcp-switch up; exec sleep infinity';
  const { pid } = workshop.run('network', 'unshare', ['--net', '--', 'bash', '-c', keep]);
  const inSwitch = (...args: string[]) =>
    run('nsenter', ['--target', `${pid}`, '--net', '--', 'ip', ...args]);
  await workshop.until('switch', async () => Boolean(await inSwitch('link', 'show', 'gpu-mcp-switch')));

  const { device, block } = await firstFree(pid);
  workshop.afterwards(() => spawnSync('ip', ['link', 'delete', device])); // the kernel would do it, somewhat later
  const range = (index: number) => `198.${18 + (block >> 4)}.${((block & 15) << 4) + index}`;
  const address = (last: number) => `${range(0)}.${last}`;
  await ip('address', 'add', `${address(1)}/24`, 'dev', device);
  await ip('link', 'set', device, 'up');
  await inSwitch('link', 'set', 'uplink', 'master', 'gpu-mcp-switch', 'up');

  const addressOf = (index: number) => address(index + 10);
  const podRangeOf = (index: number) => `${range(index + 1)}.0/24`;
  return {
    hostAddress: address(1),
    addressOf,
    podRangeOf,
    async plug(index, nodePid) {
      if (index >= maxNodes) throw new Error(`a cluster has at most ${maxNodes} nodes`);
      const inNode = (...args: string[]) =>
        run('nsenter', ['--target', `${nodePid}`, '--net', '--', 'ip', ...args]);
      const port = `node${index}`;
      await inNode('link', 'add', 'eth0', 'type', 'veth', 'peer', 'name', port, 'netns', `${pid}`);
      await inSwitch('link', 'set', port, 'master', 'gpu-mcp-switch', 'up');
      await inNode('address', 'add', `${addressOf(index)}/24`, 'dev', 'eth0');
      await inNode('link', 'set', 'eth0', 'up');
      await inNode('route', 'add', 'default', 'via', address(1));
      for (let other = 0; other < maxNodes; other++)
        if (other !== index) await inNode('route', 'add', podRangeOf(other), 'via', addressOf(other));
      await ip('route', 'add', podRangeOf(index), 'via', addressOf(index), 'dev', device);
    },
  };
}

/** The first of 32 blocks whose interface nobody has; making the interface takes it. */
async function firstFree(switchPid: number): Promise<{ device: string; block: number }> {
  for (let block = 0; block < 32; block++) {
    const device = `gpu-mcp-test${block}`;
    const peer = ['peer', 'name', 'uplink', 'netns', `${switchPid}`];
    try {
      await ip('link', 'add', device, 'type', 'veth', ...peer);
      return { device, block };
    } catch (cause) {
      if (!`${cause}`.includes('File exists')) throw cause;
    }
  }
  throw new Error('32 clusters with nodes run on this machine: interfaces gpu-mcp-test0 to 31');
}
