// The Worker's entry: the only thread that calls NVML. It may hang in a call for ever; the main thread then forgets it.
import { parentPort, workerData } from 'node:worker_threads';

import { Fault } from '../../core/fault.ts';
import { abandoned, callsReturned, type LaneData, type LaneReply, type LaneRequest } from './messages.ts';
import { nvmlDriver } from './nvml-driver.ts';

const { library, shared } = workerData as LaneData;
const counters = new Int32Array(shared);

const driver = nvmlDriver(library, {
  before() {
    if (isAbandoned()) throw new Fault('given up', { code: 'DRIVER_NOT_RESPONDING' });
  },
  after: () => void Atomics.add(counters, callsReturned, 1),
});

parentPort?.on('message', (request: LaneRequest) => {
  const reply = answer(request);
  parentPort?.postMessage(JSON.stringify(reply)); // a third of the time that cloning an object of objects takes
  if (isAbandoned()) leave();
});

/** The call that hung has returned: what was initialised here is given back. */
function leave(): void {
  answer({ op: 'close' });
  parentPort?.close();
}

function answer(request: LaneRequest): LaneReply {
  try {
    return { value: perform(request) };
  } catch (thrown) {
    const { code, message } = Fault.from(thrown);
    return { fault: { code, message } };
  }
}

function perform(request: LaneRequest) {
  if (request.op === 'open') return driver.open();
  if (request.op === 'read') return driver.read(request.index);
  driver.close();
  return null;
}

function isAbandoned(): boolean {
  return Atomics.load(counters, abandoned) === 1;
}
