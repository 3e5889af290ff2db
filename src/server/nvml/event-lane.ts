import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';

import type { DriverXid, EventMessage } from './event-watch.ts';
import { abandoned, type LaneData } from './messages.ts';

/** A thread that waits for the driver's events. */
export interface EventLane {
  /** Nobody wants to know any more. Resolves when nothing of the driver is held any longer, or after a second. */
  end(): Promise<void>;
}

export interface EventListener {
  event(event: DriverXid): void;
  /** Null: it watches; else why it does not, or no longer. */
  state(reason: string | null): void;
}

/** The driver's events, in a Worker of its own: it waits in the driver nearly all the time. */
export function driverEvents(
  workerUrl: URL,
  library: string | undefined,
  listener: EventListener,
): EventLane {
  const shared = new SharedArrayBuffer(3 * Int32Array.BYTES_PER_ELEMENT);
  const counters = new Int32Array(shared);
  const worker = new Worker(workerUrl, { workerData: { library, shared, events: true } satisfies LaneData });
  worker.unref(); // a wait must not keep the process alive
  const ended = new Promise<void>((resolve) => {
    worker.on('message', (text: string) => {
      const message: EventMessage = JSON.parse(text);
      if ('ended' in message) resolve();
      if (Atomics.load(counters, abandoned) === 0) hear(message, listener);
    });
    worker.on('error', (cause) => {
      listener.state(`the event worker failed: ${cause}`);
      resolve();
    });
  });
  return {
    end() {
      Atomics.store(counters, abandoned, 1);
      return Promise.race([ended, sleep(endMs, undefined, { ref: false })]);
    },
  };
}

/** Longer than a wait in the driver takes; a thread that hangs in it is not waited for. */
const endMs = 1000;

function hear(message: EventMessage, listener: EventListener): void {
  if ('event' in message) listener.event(message.event);
  else listener.state('watching' in message ? null : message.ended);
}
