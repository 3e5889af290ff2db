import { Worker } from 'node:worker_threads';

import type { Driver, DriverInfo } from '../../core/driver.ts';
import { Fault } from '../../core/fault.ts';
import type { GpuReadings } from '../../core/gpu.ts';
import { abandoned, callsReturned, type LaneData, type LaneReply, type LaneRequest } from './messages.ts';

/**
 * NVML in a Worker of its own, one call at a time. A call that hangs in the kernel hangs that thread alone.
 *
 * @param workerUrl made by the program's entry: a URL made deeper down is not found in the compiled binary
 * @param library path of libnvidia-ml.so.1; undefined searches where drivers are
 */
export function nvmlLane(workerUrl: URL, library: string | undefined): Driver {
  const shared = new SharedArrayBuffer(2 * Int32Array.BYTES_PER_ELEMENT);
  const counters = new Int32Array(shared);
  const worker = new Worker(workerUrl, { workerData: { library, shared } satisfies LaneData });
  worker.unref(); // a hung call must not keep the process alive

  let waiting: { resolve(reply: LaneReply): void; reject(error: Fault): void } | undefined;
  worker.on('message', (reply: string) => waiting?.resolve(JSON.parse(reply)));
  worker.on('error', (cause) => {
    waiting?.reject(new Fault(`the NVML worker failed: ${cause}`, { code: 'DRIVER_FAILED', cause }));
  });

  async function ask(request: LaneRequest) {
    const reply = await new Promise<LaneReply>((resolve, reject) => {
      waiting = { resolve, reject };
      worker.postMessage(request);
    });
    if ('fault' in reply) throw new Fault(reply.fault.message, { code: reply.fault.code });
    return reply.value;
  }

  return {
    open: async () => (await ask({ op: 'open' })) as DriverInfo,
    read: async (index) => (await ask({ op: 'read', index })) as GpuReadings,
    close: async () => {
      await ask({ op: 'close' });
    },
    abandon: () => void Atomics.store(counters, abandoned, 1), // never terminate(): it would wait for the call
    callsReturned: () => Atomics.load(counters, callsReturned),
  };
}
