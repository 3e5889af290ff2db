import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { namespace } from '../support/chart.ts';
import { whyNoImage } from '../support/image.ts';
import { type GpuCluster, type GpuNode, gpusOf, startGpuCluster } from '../support/node/gpu-cluster.ts';
import { whyNoKernelLog, writeKernelLog } from '../support/node/kernel-log.ts';
import { whyNoNodeHere } from '../support/node/programs.ts';

const skipped = whyNoNodeHere() ?? whyNoImage() ?? whyNoKernelLog();
const buildMs = 30 * 60_000; // the first run on a machine builds the programs
const kept = { enabled: true, path: '/var/lib/k8s-gpu-mcp' };

/** The log is this machine's, and others write into it: by this the lines of this run are told from theirs. */
const marker = `test-${randomBytes(4).toString('hex')}`;
const slot = '0000:2b:00'; // of the second GPU that `h100` makes, on `gpu-1` alone
const xidLine = `NVRM: Xid (PCI:${slot}): 79, pid=4242, name=${marker}, GPU has fallen off the bus.`;

interface Event {
  readonly id: string;
  readonly number: number;
  readonly atMs: number;
  readonly gpuIndex: number | null;
}

interface Answer {
  readonly kernelLog: object;
  readonly cursor: string;
  readonly events: readonly Event[];
}

/** All nodes have the one kernel log of this machine, which the agents read by klogctl, with the rights that the chart gives them. */
describe.skipIf(skipped)(`the kernel log of real nodes ${skipped ?? ''}`, () => {
  let cluster: GpuCluster;

  beforeAll(async () => {
    cluster = await startGpuCluster();
    cluster.drivers['gpu-2'].write({ gpus: inOtherSlots });
    await cluster.release('install', {});
  }, buildMs);

  afterAll(async () => await cluster?.stop());

  /** Of what the agent of a node tells, that which is of this run. */
  async function told(node: GpuNode, args: object = {}): Promise<Answer> {
    const answer = await cluster.askAgent<Answer>(node, 'analyze_xid_errors', args);
    expect(answer.kernelLog).toEqual({ readable: true, reason: null });
    return { ...answer, events: answer.events.filter((event) => JSON.stringify(event).includes(marker)) };
  }

  const toldAtLast = (node: GpuNode) =>
    cluster.waitFor(`event of ${node}`, async () => {
      const answer = await told(node);
      return answer.events.length > 0 && answer;
    });

  /** Resolves when another agent is Ready in its place. */
  async function replaceAgent(): Promise<void> {
    const { 'gpu-1': before } = await cluster.agents();
    await cluster.kubectl('delete', 'pod', before.metadata.name, `--namespace=${namespace}`);
    const { 'gpu-1': after } = await cluster.agents();
    expect(after.metadata.uid).not.toBe(before.metadata.uid);
  }

  test('an Xid is told with its name and GPU, and as written by a program; lines that speak of Xids are not told', async () => {
    const writtenAtMs = Date.now();
    writeKernelLog(
      `eth0: Xid mismatch 79, ${marker}`,
      `nvidia-device-plugin: XidCriticalError: Xid=79 on Device=GPU-1, ${marker}`,
      `a program has seen "${xidLine}"`,
      xidLine, // the last: whoever tells of it has read the others
    );

    const { events } = await toldAtLast('gpu-1');

    expect(events).toEqual([expect.objectContaining({ ...asWritten, ...secondGpu })]);
    expect(Math.abs((events[0]?.atMs ?? 0) - writtenAtMs)).toBeLessThan(10_000);
  });

  test('on a node that has no GPU in that slot the same line is of none', async () => {
    const { events } = await toldAtLast('gpu-2');

    expect(events).toEqual([expect.objectContaining({ ...asWritten, gpuIndex: null, gpuUuid: null })]);
  });

  test('a log that is read again and again has one event, and no news for who has been told of it', async () => {
    const before = await toldAtLast('gpu-1');
    await sleep(2_000); // four times the interval at which it is read

    expect((await told('gpu-1')).events).toEqual(before.events);
    expect((await told('gpu-1', { since: before.cursor })).events).toEqual([]);
  });

  test('an agent that takes the place of another reads the log anew, and tells the same event', async () => {
    const { events: before } = await toldAtLast('gpu-1');

    await replaceAgent();

    const { events } = await toldAtLast('gpu-1');
    expect(events).toEqual([expect.objectContaining({ ...asWritten, ...secondGpu, id: before[0]?.id })]);
  });

  test('one that finds on the node what the other had told does not tell it again', async () => {
    await cluster.release('upgrade', { history: kept });
    const before = await toldAtLast('gpu-1');
    writeKernelLog(`${xidLine} Again`);
    await cluster.waitFor('second event', async () => (await told('gpu-1')).events.length === 2);

    await replaceAgent();

    const { events } = await told('gpu-1', { since: before.cursor });
    expect(events).toEqual([expect.objectContaining({ message: expect.stringMatching(/Again$/) })]);
    expect((await told('gpu-1')).events).toHaveLength(2);
  });
});

/** Its severity and action are those of a line that proves nothing; what NVIDIA says of 79 stays. */
const asWritten = {
  kind: 'xid',
  code: 79,
  name: 'GPU has fallen off the bus',
  origin: 'userSpace',
  severity: 'info',
  action: 'none',
  nvidiaAction: expect.stringContaining('Restart the bare-metal node'),
  sources: ['kernelLog'],
  pciSlot: slot,
  message: xidLine.replace('NVRM: ', ''),
  details: { pid: 4242, processName: marker },
  bootId: readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim(),
};

const secondGpu = { gpuIndex: 1, gpuUuid: gpusOf('gpu-1')[1]?.uuid };

const inOtherSlots = gpusOf('gpu-2').map((gpu, index) => ({
  ...gpu,
  pci: { domain: 0, bus: 0x9b + 0x10 * index, device: 0, deviceId: 0x233010de, subsystemId: 0x16c110de },
}));
