import type { Log } from '../../core/log.ts';
import type { BesideDriver } from '../driver-life.ts';
import type { EventLane, EventListener } from '../nvml/event-lane.ts';
import type { EventBook } from './event-book.ts';

export interface DriverEventsOptions {
  readonly laneFor: (listener: EventListener) => EventLane;
  readonly book: EventBook;
  readonly log: Log;
}

/** A driver that says no (a GPU that is lost, as a rule) is asked again, and rarely. */
const againAfterMs = 60_000;

/** The driver's own events, for as long as a driver life lasts. */
export function driverEventsOf({ laneFor, book, log }: DriverEventsOptions): BesideDriver {
  let again: NodeJS.Timeout | undefined;
  let said: string | null | undefined;
  const listener: EventListener = {
    event: (event) => book.fromDriver(event),
    state(reason) {
      book.source('nvml', reason);
      if (reason !== null && reason !== said) log.info("the driver's events are not heard", { reason });
      said = reason;
      if (reason === null) return;
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
