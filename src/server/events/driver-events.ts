import type { Log } from '../../core/log.ts';
import type { BesideDriver } from '../driver-life-options.ts';
import type { EventLane, EventListener } from '../nvml/event-lane.ts';
import type { EventBook } from './event-book.ts';

export interface DriverEventsOptions {
  readonly laneFor: (listener: EventListener) => EventLane;
  readonly book: EventBook;
  /** Reads the kernel log now, where somebody reads it. */
  readonly lookAtLog?: () => void;
  readonly log: Log;
}

/** A driver that says no (a GPU that is lost, as a rule) is asked again, and rarely. */
const againAfterMs = 60_000;

/** The kernel's line about it says more, and is there by then as a rule: whoever reads the event now would miss what comes later. */
const lineAfterMs = 300;

/** The driver's own events, for as long as a driver life lasts. */
export function driverEventsOf({ laneFor, book, lookAtLog, log }: DriverEventsOptions): BesideDriver {
  let again: NodeJS.Timeout | undefined;
  let said: string | null | undefined;
  const listener: EventListener = {
    event(event) {
      const told = () => {
        lookAtLog?.();
        book.fromDriver(event);
      };
      setTimeout(told, lineAfterMs).unref();
    },
    state(reason, watches = reason === null) {
      book.source('nvml', reason, watches);
      if (reason !== null && reason !== said) log.info("the driver's events are not heard", { reason });
      said = reason;
      if (watches) return;
      again = setTimeout(() => lane.begin(), againAfterMs);
      again.unref();
    },
  };
  const lane = laneFor(listener);
  return {
    begin: () => lane.begin(),
    async end() {
      clearTimeout(again);
      book.source('nvml', 'the driver is not open');
      await lane.end();
    },
  };
}
