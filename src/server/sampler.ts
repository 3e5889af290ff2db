import type { Inquiries } from '../core/driver.ts';
import type { Answers, Snapshot } from '../core/snapshot.ts';
import { DriverLife } from './driver-life.ts';
import type { DriverLifeOptions } from './driver-life-options.ts';
import { GpuBook } from './gpu-book.ts';

export interface SamplerOptions extends Omit<DriverLifeOptions, 'onBetween'> {
  readonly simulated: boolean;
  /** How long to wait now before the next round. */
  readonly intervalMs: () => number;
  /** After each round, also where nothing could be read, when GPUs have been read while another one takes long, and when the driver stops responding. */
  readonly onRound?: (snapshot: Snapshot) => void;
}

export interface Sampler {
  /** What is known now. Never waits. */
  snapshot(): Snapshot;
  /**
   * Asks every GPU that can be asked, after the sample that may be going on; who asks while another does gets that answer.
   * It may take as long as the driver does.
   */
  inquire(what: keyof Inquiries): Promise<void>;
  /** What was answered last. */
  answers(): Answers;
  /** Does not wait any longer for the next round. */
  hurry(): void;
  /** Resolves when the first sample is done, or could not be. */
  readonly firstSample: Promise<unknown>;
  stop(): void;
}

/**
 * Reads every GPU again and again, one driver call at a time, and keeps what it saw. A call that does not return costs
 * its thread: the GPU is left out until the call returns, and another thread goes on with the others. Of the last
 * thread allowed nothing is taken away: sampling goes on when its call returns.
 */
export function startSampler(options: SamplerOptions): Sampler {
  const { simulated, intervalMs, onRound, log } = options;
  const book = new GpuBook(options.nowMs, options.hangAfterMs);
  const life = new DriverLife({ ...options, onBetween: () => onRound?.(snapshot()) }, book);
  const snapshot = (): Snapshot => ({ simulated, driver: life.state, gpus: life.gpus });
  const wait = new Wait();

  const firstSample = life.sample(intervalMs());
  async function run(): Promise<void> {
    for (let sampled = await firstSample; ; sampled = await life.sample(intervalMs())) {
      onRound?.(snapshot());
      await wait.begin(sampled ? intervalMs() : life.retryInMs);
      if (wait.ended) return;
    }
  }
  run().catch((error) => log.error('the sampler has stopped', { error: String(error) }));

  return {
    snapshot,
    answers: () => life.answers,
    inquire: (what) => life.inquire(what),
    hurry: () => wait.cut(),
    firstSample,
    stop: () => wait.end(),
  };
}

/** Between two rounds. */
class Wait {
  #ended = false;
  #resolve: () => void = () => undefined;
  #timer: NodeJS.Timeout | undefined;

  get ended(): boolean {
    return this.#ended;
  }

  begin(ms: number): Promise<void> {
    if (this.#ended) return Promise.resolve();
    return new Promise((resolve) => {
      this.#resolve = resolve;
      this.#timer = setTimeout(resolve, ms);
    });
  }

  cut(): void {
    clearTimeout(this.#timer);
    this.#resolve();
  }

  end(): void {
    this.#ended = true;
    this.cut();
  }
}
