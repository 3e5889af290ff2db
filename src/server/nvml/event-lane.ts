import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';

import type { DriverXid, EventMessage, EventRequest } from './event-watch.ts';
import { abandoned, type LaneData } from './messages.ts';

/** Waits for the driver's events in a thread. */
export interface EventLane {
  begin(): void;
  /** Nobody wants to know any more. Resolves when nothing of the driver is held any longer, or after a second. */
  end(): Promise<void>;
}

export interface EventListener {
  event(event: DriverXid): void;
  /** Null: it watches; else why it does not, or no longer, or not all GPUs. */
  state(reason: string | null, watches?: boolean): void;
}

/**
 * The driver's events, in a Worker of their own: it waits in the driver nearly all the time. The same Worker serves one
 * driver life after the other, since what a Worker takes is not given back whole; one that hangs is replaced.
 */
export function driverEvents(
  workerUrl: URL,
  library: string | undefined,
  listener: EventListener,
): EventLane {
  let thread: EventThread | undefined;
  return {
    begin() {
      if (thread?.isFree() !== true) {
        thread?.leave();
        thread = eventThread(workerUrl, library, listener);
      }
      thread.watch();
    },
    end: () => thread?.stop() ?? Promise.resolve(),
  };
}

interface EventThread {
  isFree(): boolean;
  watch(): void;
  stop(): Promise<void>;
  /** Ends as soon as the driver lets it. */
  leave(): void;
}

function eventThread(workerUrl: URL, library: string | undefined, listener: EventListener): EventThread {
  const shared = new SharedArrayBuffer(3 * Int32Array.BYTES_PER_ELEMENT);
  const counters = new Int32Array(shared);
  const worker = new Worker(workerUrl, { workerData: { library, shared, events: true } satisfies LaneData });
  worker.unref(); // a wait must not keep the process alive
  let state: 'free' | 'watching' | 'dead' = 'free';
  let ended = Promise.resolve();
  let end: () => void = () => undefined;
  worker.on('message', (text: string) => {
    const message: EventMessage = JSON.parse(text);
    if ('ended' in message) {
      state = 'free';
      end();
    }
    if (Atomics.load(counters, abandoned) === 0) hear(message, listener);
  });
  worker.on('error', (cause) => {
    state = 'dead';
    end();
    listener.state(`the event worker failed: ${cause}`);
  });
  const request = (what: EventRequest) => worker.postMessage(what);
  return {
    isFree: () => state === 'free',
    watch() {
      state = 'watching';
      ended = new Promise((resolve) => {
        end = resolve;
      });
      Atomics.store(counters, abandoned, 0);
      request('watch');
    },
    stop() {
      Atomics.store(counters, abandoned, 1);
      return Promise.race([ended, sleep(endMs, undefined, { ref: false })]);
    },
    leave: () => request('leave'),
  };
}

/** Longer than a wait in the driver takes; a thread that hangs in it is not waited for. */
const endMs = 1000;

function hear(message: EventMessage, listener: EventListener): void {
  if ('event' in message) listener.event(message.event);
  else if ('watching' in message) listener.state(message.unheard, true);
  else listener.state(message.ended);
}
