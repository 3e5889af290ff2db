import { Worker } from 'node:worker_threads';

import {
  type Driver,
  type DriverInfo,
  type Inquiries,
  type Met,
  type ReadOptions,
  type Told,
  unreadable,
} from '../../core/driver.ts';
import { Fault } from '../../core/fault.ts';
import type { GpuReadings } from '../../core/gpu.ts';
import {
  abandoned,
  callsReturned,
  type LaneData,
  type LaneReply,
  type LaneRequest,
  readingGpu,
  type Taken,
} from './messages.ts';

type Answer = Extract<LaneReply['ended'], { value: unknown }>['value'];

/** The request that the Worker is at. */
interface Waiting {
  resolve(answer: Answer): void;
  reject(fault: Fault): void;
}

/**
 * Each time NVML in a Worker of its own, one call at a time: a call that hangs in the kernel hangs that thread alone. Of
 * those that were given up and have come back one is kept, and used the next time: each Worker that ends leaves 60 kB
 * behind in Bun, and a GPU with dead firmware costs a Worker every ten minutes.
 *
 * @param workerUrl made by the program's entry: a URL made deeper down is not found in the compiled binary
 * @param library path of libnvidia-ml.so.1; undefined searches where drivers are
 */
export function nvmlLanes(workerUrl: URL, library: string | undefined): () => Driver {
  let spare: Driver | undefined;
  const isBack = (lane: NvmlLane) => {
    if (spare) lane.end();
    else spare = lane;
  };
  return () => {
    const lane = spare ?? new NvmlLane(workerUrl, library, isBack);
    spare = undefined;
    return lane;
  };
}

class NvmlLane implements Driver {
  readonly #worker: Worker;
  readonly #counters: Int32Array;
  #waiting: Waiting | undefined;
  /** Of each GPU all that is known in this driver life. */
  #known: GpuReadings[] = [];
  #told: Told = () => undefined;
  #met: Met = () => undefined;
  #asked: Promise<unknown> = Promise.resolve();
  readonly #isBack: (lane: NvmlLane) => void;

  constructor(workerUrl: URL, library: string | undefined, isBack: (lane: NvmlLane) => void) {
    this.#isBack = isBack;
    const shared = new SharedArrayBuffer(3 * Int32Array.BYTES_PER_ELEMENT);
    this.#counters = new Int32Array(shared);
    this.#worker = new Worker(workerUrl, { workerData: { library, shared } satisfies LaneData });
    this.#worker.unref(); // a hung call must not keep the process alive
    this.#worker.on('message', (message: string) => this.#reply(JSON.parse(message)));
    this.#worker.on('error', (cause) =>
      this.#waiting?.reject(new Fault(`the NVML worker failed: ${cause}`, { code: 'DRIVER_FAILED', cause })),
    );
  }

  async open(): Promise<DriverInfo> {
    this.#known = [];
    return (await this.#ask({ op: 'open' })) as DriverInfo;
  }

  async read(index: number, slowly = true): Promise<GpuReadings> {
    await this.readAll([index], { slowly, againMs: 0 }, () => undefined);
    return this.#known[index] ?? unreadable('driverUnavailable');
  }

  async readAll(
    indices: readonly number[],
    options: ReadOptions,
    told: Told,
    met: Met = () => undefined,
  ): Promise<number | null> {
    this.#told = told;
    this.#met = met;
    return (await this.#ask({ op: 'read', indices, options })) as number | null;
  }

  reading(): number | null {
    const gpu = Atomics.load(this.#counters, readingGpu);
    return gpu === 0 ? null : gpu - 1;
  }

  async inquire<What extends keyof Inquiries>(what: What, index: number): Promise<Inquiries[What]> {
    return (await this.#ask({ op: 'inquire', what, index })) as Inquiries[What];
  }

  async close(): Promise<void> {
    await this.#ask({ op: 'close' });
  }

  /** The thread is idle. */
  end(): void {
    void this.#worker.terminate();
  }

  /** Not terminate(), which would wait for the call. */
  abandon(): void {
    Atomics.store(this.#counters, abandoned, 1);
    const comesBack = this.#asked.catch(() => undefined).then(() => this.#comeBack());
    comesBack.catch(() => undefined); // a thread that has failed is not used again
  }

  /** What the thread has initialised is given back: else the driver that comes next could never be used. */
  async #comeBack(): Promise<void> {
    Atomics.store(this.#counters, abandoned, 0);
    await this.close();
    this.#isBack(this);
  }

  callsReturned(): number {
    return Atomics.load(this.#counters, callsReturned);
  }

  #ask(request: LaneRequest): Promise<Answer> {
    const answer = new Promise<Answer>((resolve, reject) => {
      this.#waiting = { resolve, reject };
      this.#worker.postMessage(request);
    });
    this.#asked = answer;
    return answer;
  }

  #take([index, taken, how]: Taken): void {
    const readings = { ...this.#known[index], ...taken } as GpuReadings; // the first message has all
    this.#known[index] = readings;
    this.#told(index, readings, how);
  }

  #reply({ met, taken, ended }: LaneReply): void {
    if (met) this.#met(...met);
    for (const each of taken) this.#take(each);
    if (!ended) return;
    if ('value' in ended) this.#waiting?.resolve(ended.value);
    else this.#waiting?.reject(new Fault(ended.fault.message, { code: ended.fault.code }));
  }
}
