// The Worker's entry: only such threads call NVML. One may hang in a call for ever; the main thread then forgets it.
import { parentPort, workerData } from 'node:worker_threads';

import type { HowRead } from '../../core/driver.ts';
import { Fault } from '../../core/fault.ts';
import type { GpuReadings } from '../../core/gpu.ts';
import type { Reading } from '../../core/reading.ts';
import { type EventMessage, type EventRequest, watchDriverEvents } from './event-watch.ts';
import type { CallWatch } from './library.ts';
import {
  abandoned,
  callsReturned,
  type LaneData,
  type LaneReply,
  type LaneRequest,
  readingGpu,
  type Taken,
  type TakenReadings,
} from './messages.ts';
import { nvmlDriver } from './nvml-driver.ts';
import { Rounds } from './rounds.ts';

const { library, shared, events = false } = workerData as LaneData;
const counters = new Int32Array(shared);
/** Of each GPU what the main thread was told last in this driver life. */
let sent: GpuReadings[] = [];
let openedBefore = false;
/** A message wakes the main thread: while the driver is quick one is enough for all, while it is slow each GPU has its own. */
const gatherMs = 20;
let gathered: Taken[] = [];
let gatheredSinceMs = 0;

const watch: CallWatch = {
  before() {
    if (Atomics.load(counters, abandoned) === 1)
      throw new Fault('given up', { code: 'DRIVER_NOT_RESPONDING' });
    rounds.between();
    tellSoon();
  },
  after: () => void Atomics.add(counters, callsReturned, 1),
};
const driver = nvmlDriver(library, watch);
const rounds = new Rounds({
  read: (index, slowly) =>
    onGpu(index, () => {
      if (!sent[index]) meet(index);
      return driver.read(index, slowly);
    }),
  told: gather,
  nowMs: () => performance.now(),
});

if (events)
  parentPort?.on('message', (request: EventRequest) => {
    if (request === 'leave') parentPort?.close();
    else tellEvents();
  });
else parentPort?.on('message', (request: LaneRequest) => tell(answer(request)));

function tellEvents(): void {
  try {
    watchDriverEvents(library, watch, send);
  } catch (thrown) {
    send({ ended: Fault.from(thrown).message });
  }
}

/** As JSON: a third of the time that cloning an object of objects takes. */
function send(reply: LaneReply | EventMessage): void {
  parentPort?.postMessage(JSON.stringify(reply));
}

function answer(request: LaneRequest): NonNullable<LaneReply['ended']> {
  try {
    return { value: perform(request) };
  } catch (thrown) {
    const { code, message } = Fault.from(thrown);
    return { fault: { code, message } };
  }
}

function perform(request: LaneRequest) {
  switch (request.op) {
    case 'open':
      if (openedBefore) collect();
      openedBefore = true;
      sent = [];
      rounds.begin();
      return driver.open();
    case 'read':
      rounds.run(request.indices, request.options);
      return driver.count();
    case 'inquire':
      return rounds.beside(request.index, () => {
        return onGpu(request.index, () => driver.inquire(request.what, request.index));
      });
    case 'close':
      driver.close();
      return null;
  }
}

/**
 * What koffi has bound is freed with its JavaScript objects. The collector, which does not know how much that is, would come
 * 30 MB later.
 */
function collect(): void {
  driver.close();
  Bun.gc(true);
}

/** Should it hang later on. */
function meet(index: number): void {
  const identity = driver.meet(index);
  if ('value' in identity) send({ met: [index, identity.value], taken: [] });
}

function gather(index: number, readings: GpuReadings, how: HowRead): void {
  if (gathered.length === 0) gatheredSinceMs = performance.now() - how.tookMs;
  gathered.push([index, unsent(index, readings), how]);
  tellSoon();
}

function tellSoon(): void {
  if (gathered.length > 0 && performance.now() - gatheredSinceMs >= gatherMs) tell();
}

function tell(ended?: LaneReply['ended']): void {
  send({ taken: gathered, ...(ended && { ended }) });
  gathered = [];
}

/** Whoever waits for this thread can tell which GPU it is at. */
function onGpu<T>(index: number, ask: () => T): T {
  const before = Atomics.exchange(counters, readingGpu, index + 1);
  try {
    return ask();
  } finally {
    Atomics.store(counters, readingGpu, before);
  }
}

function unsent(index: number, readings: GpuReadings): TakenReadings {
  const before = sent[index];
  sent[index] = readings;
  if (!before) return readings;
  const names = Object.keys(readings) as (keyof GpuReadings)[];
  return Object.fromEntries(
    names.filter((name) => !isSame(readings[name], before[name])).map((name) => [name, readings[name]]),
  );
}

/** What is remembered comes as the same object each time; of what was asked again a plain value or a reason is compared. */
function isSame(reading: Reading<unknown>, before: Reading<unknown>): boolean {
  if (reading === before) return true;
  if ('value' in reading) return 'value' in before && reading.value === before.value;
  return 'missing' in before && reading.missing === before.missing;
}
