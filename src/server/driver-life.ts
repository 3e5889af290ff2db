import {
  type Driver,
  type DriverInfo,
  type HowRead,
  type Inquiries,
  slowReadEveryMs,
} from '../core/driver.ts';
import { Fault } from '../core/fault.ts';
import type { Answers, DriverState, GpuState } from '../core/snapshot.ts';
import type { DriverLifeOptions } from './driver-life-options.ts';
import type { GpuBook } from './gpu-book.ts';
import { Mistaken, Round } from './round.ts';
import { Stalled, whileProgressing } from './stall.ts';

/** The kernel may hold one global lock: then each new thread would hang too, and a thread is all we would gain. */
const mostGivenUp = 2;
const noAnswers: Answers = { processes: new Map(), peers: new Map(), gpm: new Map() };
const firstRetryMs = 1000;
const lastRetryMs = 30_000;

/** The driver from opening to going away, again and again, and the threads that call it. */
export class DriverLife {
  readonly #options: DriverLifeOptions;
  readonly #book: GpuBook;
  #driver: Driver;
  #info: DriverInfo | undefined;
  #state: DriverState = { state: 'starting' };
  /** Since when the driver does not respond: until something that it is asked does not hang. */
  #hungSinceMs: number | null = null;
  /**
   * What the threads were at that were given up in this driver life. A thread that was at a GPU counts until it is back; one
   * that was at the driver itself until something does not hang, or each call of a slow driver would cost one.
   */
  #givenUp = new Set<Promise<unknown>>();
  #backFromDriver: Promise<unknown>[] = [];
  #failures = 0;
  #slowReadDueMs = 0;
  #between = false;
  #round: Round | undefined;
  #mistaken = new Mistaken();
  #turn: Promise<unknown> = Promise.resolve();
  readonly #asking = new Map<keyof Inquiries, Promise<void>>();
  #answers: Answers = noAnswers;

  constructor(options: DriverLifeOptions, book: GpuBook) {
    this.#options = options;
    this.#book = book;
    this.#driver = options.spawn();
  }

  get state(): DriverState {
    if (this.#hungSinceMs === null) return this.#state;
    return { state: 'notResponding', info: this.#info ?? null, sinceMs: this.#hungSinceMs };
  }

  get retryInMs(): number {
    return Math.min(firstRetryMs * 2 ** Math.max(0, this.#failures - 1), lastRetryMs);
  }

  /**
   * One round over all GPUs; false when there is no driver to ask, or no GPU.
   *
   * @param againMs how often the others are read while one GPU takes long
   */
  sample(againMs: number): Promise<boolean> {
    return this.#inTurn(() => this.#sample(againMs));
  }

  inquire(what: keyof Inquiries): Promise<void> {
    const asking =
      this.#asking.get(what) ??
      this.#inTurn(() => this.#inquire(what)).finally(() => void this.#asking.delete(what));
    this.#asking.set(what, asking);
    return asking;
  }

  get gpus(): readonly GpuState[] {
    const { gpus } = this.#book;
    return this.#round?.withLate(gpus, this.#options.nowMs()) ?? gpus;
  }

  get answers(): Answers {
    return this.#answers;
  }

  /** A driver takes one request at a time. */
  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const run = this.#turn.then(work);
    this.#turn = run.catch(() => undefined);
    return run;
  }

  async #inquire(what: keyof Inquiries): Promise<void> {
    if (!this.#offersGpus) return;
    for (const index of this.#book.readable) {
      const answer = await this.#ask((driver) => driver.inquire(what, index));
      if (answer !== undefined) this.#answered(what, index, answer);
    }
  }

  #answered<What extends keyof Inquiries>(what: What, index: number, answer: Inquiries[What]): void {
    const readAtMs = this.#options.nowMs();
    const answers = new Map<number, unknown>(this.#answers[what]).set(index, { readAtMs, answer });
    this.#answers = { ...this.#answers, [what]: answers };
  }

  async #sample(againMs: number): Promise<boolean> {
    try {
      return (this.#offersGpus || (await this.#open())) && (await this.#readAll(againMs));
    } catch (thrown) {
      this.#unavailable(Fault.from(thrown));
      return false;
    } finally {
      this.#round = undefined;
    }
  }

  /** A driver without GPUs is opened again and again: there is nothing to read that would tell of a new one. */
  get #offersGpus(): boolean {
    return this.#info !== undefined && this.#info.gpuCount > 0;
  }

  async #open(): Promise<boolean> {
    await this.#options.beside?.end();
    const info = await this.#ask((driver) => driver.open());
    if (!info) return false;
    if (info.gpuCount > 0) this.#options.beside?.begin();
    if (this.#info?.gpuCount !== 0 || info.gpuCount > 0)
      this.#options.log.info('driver opened', { gpus: info.gpuCount });
    this.#info = info;
    this.#state = { state: 'ok', info };
    this.#failures = this.#offersGpus ? 0 : this.#failures + 1;
    this.#givenUp = new Set();
    this.#slowReadDueMs = 0;
    this.#answers = noAnswers; // indices may be of other GPUs by now
    this.#mistaken = new Mistaken();
    this.#book.begin(info.gpuCount);
    return this.#offersGpus;
  }

  /**
   * A driver that has gone away, or offers more GPUs or fewer, is opened anew, and all is read at once; only once, in case
   * it says so again.
   */
  async #readAll(againMs: number, mayReopen = true): Promise<boolean> {
    const sinceMs = this.#options.nowMs();
    const slowly = sinceMs >= this.#slowReadDueMs;
    if (slowly) this.#slowReadDueMs = sinceMs + slowReadEveryMs;
    const round = new Round(sinceMs, againMs);
    this.#round = round;
    let isOver = mayReopen && (await this.#isGoneUnseen());
    for (let left = this.#book.readable; left.length > 0 && !isOver; left = this.#left(round)) {
      const count = await this.#ask((driver) =>
        driver.readAll(
          left,
          { slowly, againMs },
          (index, readings, how) => {
            if (driver !== this.#driver) return; // given up in the meantime
            round.told(index, this.#options.nowMs());
            this.#book.read(index, readings, how);
            if (how.between) this.#readBetween(how.between);
            isOver ||= this.#mistaken.isTrue(index, readings, this.#book.answering) && mayReopen;
          },
          (index, identity) => {
            if (driver === this.#driver) this.#book.met(index, identity);
          },
        ),
      );
      isOver ||= mayReopen && (count ?? this.#info?.gpuCount) !== this.#info?.gpuCount;
    }
    if (!isOver) return true;
    this.#info = undefined;
    return (await this.#open()) && (await this.#readAll(againMs, false));
  }

  /** No GPU is to be asked, as each has answered too late: the driver itself is, or nobody would notice that it has gone. */
  async #isGoneUnseen(): Promise<boolean> {
    if (this.#book.readable.length > 0 || this.#book.hasHanging) return false;
    const options = { slowly: false, againMs: slowReadEveryMs };
    const count = await this.#ask((driver) => driver.readAll([], options, () => undefined));
    return count !== undefined && count !== this.#info?.gpuCount;
  }

  /** Told at once: no round may end for as long as the driver does not respond. */
  #stalled(sinceMs: number): void {
    if (this.#hungSinceMs !== null) return;
    this.#hungSinceMs = sinceMs;
    this.#options.onBetween?.();
  }

  /** Once for all that are told together. */
  #readBetween({ index, forMs }: NonNullable<HowRead['between']>): void {
    this.#book.takesLong(index, forMs);
    if (!this.#between)
      queueMicrotask(() => {
        this.#between = false;
        this.#options.onBetween?.();
      });
    this.#between = true;
  }

  /** After a hang another thread goes on with those that were not read yet. */
  #left(round: Round): readonly number[] {
    return this.#book.readable.filter((index) => !round.has(index));
  }

  /** Undefined: the call has hung, and another thread has taken over. */
  async #ask<T>(operation: (driver: Driver) => Promise<T>): Promise<T | undefined> {
    const { hangAfterMs, nowMs, log } = this.#options;
    const driver = this.#driver;
    const running = operation(driver);
    try {
      const result = await whileProgressing(running, () => driver.callsReturned(), { hangAfterMs, nowMs });
      this.#hungSinceMs = null;
      for (const back of this.#backFromDriver.splice(0)) this.#givenUp.delete(back);
      return result;
    } catch (thrown) {
      if (!(thrown instanceof Stalled)) throw thrown;
      const sinceMs = nowMs() - hangAfterMs;
      const index = driver.reading();
      if (!this.#info || this.#givenUp.size === mostGivenUp) this.#stalled(sinceMs);
      log.warn('a driver call does not return', { gpu: index, threadsGivenUp: this.#givenUp.size });
      if (this.#givenUp.size === mostGivenUp) return running; // the last thread is kept
      await this.#replace(running, sinceMs, index);
      return undefined;
    }
  }

  async #replace(running: Promise<unknown>, sinceMs: number, index: number | null): Promise<void> {
    const [givenUp, backFromDriver] = [this.#givenUp.add(running), this.#backFromDriver];
    this.#driver.abandon();
    const call = index === null ? undefined : this.#book.hung(index, sinceMs);
    const returned = () => {
      if (call === undefined) {
        backFromDriver.push(running);
        return;
      }
      givenUp.delete(running);
      this.#book.returned(call);
    };
    running.then(returned, returned);
    this.#driver = this.#options.spawn();
    // A life that has not begun is begun by the next round; one that has goes on here.
    if (this.#info) await this.#ask((driver) => driver.open());
  }

  #unavailable({ code, message, hint }: Fault): void {
    this.#failures++;
    this.#info = undefined;
    this.#hungSinceMs = null;
    void this.#options.beside?.end();
    this.#book.driverGone();
    if (this.#state.state === 'unavailable' && this.#state.code === code) return;
    this.#state = { state: 'unavailable', code, message, hint, sinceMs: this.#options.nowMs() };
    this.#options.log.warn('driver unavailable', { code, reason: message });
  }
}
