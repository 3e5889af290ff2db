import { randomBytes } from 'node:crypto';
import { appendFile, mkdir, rename, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import type { Log } from '../../core/log.ts';
import { whyUnreadable } from '../../core/words.ts';
import { whileProgressing } from '../stall.ts';
import { fileName, makeRoom, restoreFrom, segmentBytes, textOf } from './folder.ts';
import type { History } from './history.ts';
import { Owner } from './owner.ts';
import { lineOf, recordIn } from './record-line.ts';
import { binLine, headerLine, type Kind, sampleLine } from './segment.ts';

/** Losing so much at worst, when the agent is killed, costs less than writing all the time. */
const flushEveryMs = 10_000;
/** The state tells which events have their numbers: a later life must not give one of them to another. In a storm it waits as all else. */
const stateFlushMs = 500;
/** What waits to be written while a disk is slow; more is not kept. */
const batchAtMost = 512 * 1024;
/** Of the state that others leave here. */
const stateAtMost = 2 * 2 ** 20;
/** A life that did not end by itself may have given numbers that were not written down, while a disk was full for hours. */
const rowsAhead = 10_000;

export interface HistoryFileOptions {
  readonly folder: string;
  readonly history: History;
  /** Null where the kernel does not tell. */
  readonly bootId: string | null;
  /** Unix time. */
  readonly nowMs: () => number;
  readonly log: Log;
  /** How long a disk is waited for. */
  readonly patienceMs?: number;
}

/** A disk that takes longer holds up the agent for no more than this, at its start and at its end. */
const patienceMs = 2000;
/** Probes are answered only after that: a kubelet would end an agent that is not there for half a minute. */
const readAtMostMs = 10_000;

interface Segment {
  readonly path: string;
  bytes: number;
}

/**
 * Keeps the history in a folder, so that a restarted agent goes on with it. Whatever is wrong with the folder costs only
 * that: history goes on in memory, and it is logged once.
 *
 * Each life of an agent writes files of its own and appends to no other's, so what was torn by a crash stays a torn last
 * line, and two agents never write into one file. Of two that run at once, as while pods are replaced, the later one is
 * the owner, and the other one stops writing as soon as it sees that. The folder holds 14 MiB at most.
 */
export class HistoryFile {
  readonly #options: HistoryFileOptions;
  readonly #token = randomBytes(4).toString('hex');
  readonly #owner: Owner;
  readonly #segments = new Map<Kind, Segment>();
  #waiting: Readonly<Record<Kind, string[]>> = { samples: [], bins: [] };
  #waitingBytes = 0;
  #state: unknown;
  #stateWaiting: unknown;
  #part = 0;
  #isRead = false;
  #isOpen = false;
  #stateTimer: NodeJS.Timeout | undefined;
  #stateWrittenMs = Number.NEGATIVE_INFINITY;
  #timer: NodeJS.Timeout | undefined;
  #writing: Promise<void> = Promise.resolve();
  #trouble: string | undefined;

  constructor(options: HistoryFileOptions) {
    this.#options = options;
    this.#owner = new Owner(join(options.folder, 'owner.json'), this.#token, options.nowMs);
  }

  /** What was last given to `keep` in an earlier life; undefined where there is none. */
  get state(): unknown {
    return this.#state;
  }

  /**
   * Reads what is there into the history, and writes down from now on what is added to it. Never rejects. A disk that does
   * not answer is given up, in this life for good; one that goes on is waited for: on a busy node all of it takes long.
   */
  async open(): Promise<void> {
    const { folder, history, patienceMs: ms = patienceMs } = this.#options;
    const giveUp = new AbortController();
    if (ms === 0) giveUp.abort();
    else await this.#readWhileItAnswers(giveUp, ms);
    if (giveUp.signal.aborted && !this.#isRead) {
      history.begin();
      this.#report(`${folder} does not answer within ${ms} ms`);
      return;
    }
    this.#isOpen = true;
    history.listen({
      sample: (gpuKey, sample) => this.#add('samples', sampleLine(gpuKey, sample)),
      bin: (gpuKey, bin, bootId) => this.#add('bins', binLine(gpuKey, bootId, bin)),
    });
  }

  async #readWhileItAnswers(giveUp: AbortController, hangAfterMs: number): Promise<void> {
    let answers = 0;
    const reading = this.#orTrouble(() => this.#read(giveUp.signal, () => void answers++));
    const limits = { hangAfterMs, nowMs: () => performance.now() };
    const inTime = Promise.race([reading, aborted(AbortSignal.timeout(readAtMostMs))]);
    await whileProgressing(inTime, () => answers, limits).catch(() => undefined);
    if (!this.#isRead) giveUp.abort();
  }

  /** @param answered called each time that the disk has answered */
  async #read(signal: AbortSignal, answered: () => void): Promise<void> {
    const { folder, history } = this.#options;
    await mkdir(folder, { recursive: true });
    await restoreFrom(folder, history, { signal, answered });
    const state = await this.#stateIn();
    const owner = await this.#owner.read();
    signal.throwIfAborted();
    this.#isRead = true;
    this.#state = state;
    if (owner?.ended !== true || owner.life !== history.life - 1) history.skipRows(rowsAhead);
    if (owner && owner.life >= history.life) history.continue(history.numbering, owner.life);
    await this.#owner.claim(this.#options.history.life);
  }

  /** Keeps a JSON value for the next life, in place of the last one: as it is when it is written. */
  keep(state: unknown): void {
    this.#stateWaiting = state;
    if (performance.now() - this.#stateWrittenMs < flushEveryMs) this.#flushLater();
    else this.#stateTimer ??= setTimeout(() => this.flush(), stateFlushMs).unref();
  }

  /** Writes all that waits, or gives it up with a disk that does not answer. Never rejects. */
  async close(): Promise<void> {
    await Promise.race([this.#end(), aborted(AbortSignal.timeout(this.#options.patienceMs ?? patienceMs))]);
  }

  async #end(): Promise<void> {
    await this.flush();
    if (!this.#isOpen || this.#trouble !== undefined) return;
    await this.#orTrouble(() => this.#owner.claim(this.#options.history.life, true));
  }

  /** Writes all that waits. Never rejects. */
  flush(): Promise<void> {
    clearTimeout(this.#timer);
    clearTimeout(this.#stateTimer);
    this.#timer = undefined;
    this.#stateTimer = undefined;
    if (!this.#isOpen) return Promise.resolve();
    this.#writing = this.#writing.then(() => this.#orTrouble(() => this.#writeAll()));
    return this.#writing;
  }

  #add(kind: Kind, line: string): void {
    if (this.#waitingBytes + line.length > batchAtMost) return;
    this.#waiting[kind].push(line);
    this.#waitingBytes += line.length;
    this.#flushLater();
  }

  #flushLater(): void {
    this.#timer ??= setTimeout(() => this.flush(), flushEveryMs).unref();
  }

  async #writeAll(): Promise<void> {
    const { samples, bins } = this.#waiting;
    this.#waiting = { samples: [], bins: [] };
    this.#waitingBytes = 0;
    if (await this.#owner.isDisplaced(this.#options.history.life)) {
      this.#report('another agent keeps its history there');
      return;
    }
    await this.#owner.claim(this.#options.history.life);
    await this.#append('bins', bins.join(''));
    await this.#append('samples', samples.join(''));
    await this.#writeState();
    this.#recovered();
  }

  async #append(kind: Kind, text: string): Promise<void> {
    if (text === '') return;
    const segment = this.#segments.get(kind) ?? (await this.#begin(kind));
    // Taken out while it is written: where that fails, its last line may be torn, and the next batch begins a new one.
    this.#segments.delete(kind);
    const { history, bootId } = this.#options;
    const { numbering, life } = history;
    const whole = segment.bytes === 0 ? headerLine({ numbering, life, bootId }) + text : text;
    try {
      await appendFile(segment.path, whole);
    } catch (thrown) {
      if (segment.bytes === 0) await unlink(segment.path).catch(() => undefined);
      throw thrown;
    }
    segment.bytes += Buffer.byteLength(whole);
    if (segment.bytes < segmentBytes) this.#segments.set(kind, segment);
  }

  async #begin(kind: Kind): Promise<Segment> {
    const { folder, history } = this.#options;
    await makeRoom(folder, kind);
    this.#part++;
    const name = fileName({ kind, life: history.life, part: this.#part, token: this.#token });
    return { path: join(folder, name), bytes: 0 };
  }

  async #writeState(): Promise<void> {
    const state = this.#stateWaiting;
    if (state === undefined) return;
    this.#stateWaiting = undefined;
    const line = lineOf(state);
    if (Buffer.byteLength(line) > stateAtMost) throw new Error('the state to keep is too long');
    const path = this.#statePath;
    try {
      await writeFile(`${path}.new`, line);
      await rename(`${path}.new`, path);
    } catch (thrown) {
      this.#stateWaiting ??= state;
      throw thrown;
    }
    this.#stateWrittenMs = performance.now();
  }

  async #stateIn(): Promise<unknown> {
    return recordIn((await textOf(this.#statePath, stateAtMost)).trimEnd());
  }

  get #statePath(): string {
    return join(this.#options.folder, 'state.json');
  }

  async #orTrouble(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (thrown) {
      this.#report(whyUnreadable(thrown));
    }
  }

  #report(reason: string): void {
    const { folder, log } = this.#options;
    if (this.#trouble === undefined) log.warn('the history is kept in memory only', { folder, reason });
    this.#trouble = reason;
  }

  #recovered(): void {
    if (this.#trouble === undefined) return;
    this.#trouble = undefined;
    this.#options.log.info('the history is written to disk again', { folder: this.#options.folder });
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
