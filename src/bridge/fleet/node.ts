import type { Duplex } from 'node:stream';

import pLimit from 'p-limit';
import type { z } from 'zod';

import { Fault, type FaultCode } from '../../core/fault.ts';
import type { Log } from '../../core/log.ts';
import type { Tool } from '../../tools/tool.ts';
import { type AskOptions, askNode, type NodeReply, probeNode } from './ask.ts';
import type { Limits, NodeLimits } from './limits.ts';
import type { Member } from './member.ts';
import { type Places, takeAll, takePlace } from './place.ts';
import { execRoad, type Road, road } from './road.ts';
import { tie, tieFor } from './tie.ts';

/** Why a node gave no answer in the call in which it was last asked. */
export interface Failure {
  readonly fault: Fault;
  readonly triedAt: Date;
}

/** What a node said, and where the time went. */
export interface NodeAnswer<T> extends NodeReply<T> {
  readonly times: Times;
}

export interface NodeOptions {
  readonly token: string | undefined;
  readonly limits: Limits;
  readonly log: Log;
  /** Of what is being opened, streams and connections to programs. */
  readonly dials: Places;
  /** Of the programs that run. */
  readonly programs: Places;
}

/** Where the time of an answer went, in ms. */
export interface Times {
  readonly queueMs: number;
  readonly dialMs: number;
  readonly requestMs: number;
  readonly toolMs: number | null;
}

/** The circumstances of one question. */
export interface Asking {
  readonly signal: AbortSignal;
  /** Called when it has a place: from then on the time is its own. */
  readonly onTurn: () => void;
}

/** One node of the fleet: its stream, and whether it answered last time. Kept as long as its agent is the same. */
export class FleetNode {
  readonly name: string;
  readonly #options: NodeOptions;
  /** Asked by a program started for each request. */
  readonly byExec: boolean;
  readonly #dialMember: Member['dial'];
  readonly #road: Road;
  readonly #limits: NodeLimits;
  readonly #gone = new AbortController();
  /** Its programs run one after the other, for a call or a probe: several at once thrash its pod at the memory limit. */
  readonly #ownProgram = pLimit(1);
  #failure: Failure | undefined;
  #ready: boolean | undefined;
  #timer: NodeJS.Timeout | undefined;
  #usedAtMs = 0;
  #heardAtMs = 0;
  #dialMs = 0;
  /** Held while its stream, or the connection to its program, is being opened: leaves its place among the dials. */
  #place: (() => void) | undefined;

  constructor(member: Member, options: NodeOptions) {
    this.name = member.name;
    this.#options = options;
    this.#dialMember = member.dial;
    const { exec, dial } = member;
    this.byExec = exec !== undefined;
    this.#road = exec
      ? execRoad((line, ending) => this.#run(exec, line, ending))
      : road(member, dial && (() => this.#dial()));
    const { limits } = options;
    this.#limits = this.byExec ? limits.exec : limits;
  }

  /** Set when all attempts of the last call failed: such a node is not waited for, but probed in the background. */
  get failure(): Failure | undefined {
    return this.#failure;
  }

  /** When a question was last answered, or failed by itself; not one that was cut off, or whose turn did not come. */
  get heardAtMs(): number {
    return this.#heardAtMs;
  }

  get ready(): boolean | undefined {
    return this.#ready;
  }

  /** What is said of it now: of one that has become ready, a failure of before tells nothing any more. */
  hear({ ready }: Pick<Member, 'ready'>): void {
    if (this.#ready === false && ready) this.#failure = undefined;
    this.#ready = ready;
  }

  /** It was wanted, but had failed and was not waited for. The bridge is in use: it goes on being probed. */
  passedOver(): void {
    this.#usedAtMs = performance.now();
  }

  /** @throws Fault what the agent answered or why it could not be asked; or the caller's abort reason */
  async ask<T extends Tool>(
    tool: T,
    args: Readonly<Record<string, unknown>>,
    requestId: string,
    { signal, onTurn }: Asking,
  ): Promise<NodeAnswer<z.output<T['output']>>> {
    const askedMs = performance.now();
    this.#usedAtMs = askedMs;
    this.#dialMs = 0;
    const { signal: either, release } = tie(signal, this.#gone.signal);
    let leave = () => {};
    try {
      leave = await this.#enter(either);
      onTurn();
      const queueMs = performance.now() - askedMs;
      const reply = await askNode(tool, args, requestId, this.#askOptions(either));
      this.#failure = undefined;
      this.#heardAtMs = performance.now();
      const requestMs = performance.now() - askedMs - queueMs;
      return { ...reply, times: { queueMs, dialMs: this.#dialMs, requestMs, toolMs: reply.toolMs } };
    } catch (thrown) {
      signal.throwIfAborted();
      this.#note(Fault.from(thrown));
      this.#heardAtMs = performance.now();
      throw thrown;
    } finally {
      release();
      leave();
      this.#schedule(this.#limits.firstProbeMs);
    }
  }

  /** Closes the stream and ends probing. */
  close(): void {
    clearTimeout(this.#timer);
    this.#gone.abort(new Fault('the agent was replaced', { code: 'NODE_UNREACHABLE' }));
    this.#road.close();
  }

  #askOptions(signal: AbortSignal): AskOptions {
    return { road: this.#road, token: this.#options.token, limits: this.#limits, signal };
  }

  /**
   * Before a node is asked: waiting for a place costs it none of its own time. A stream holds its place while it is being
   * opened; a program has one as well, and another as long as it runs.
   *
   * @returns what leaves the place
   */
  async #enter(signal: AbortSignal): Promise<() => void> {
    const takeDial = async () => {
      await this.#takePlace(signal);
      return () => this.#leavePlace();
    };
    if (!this.byExec) return takeDial();
    return takeAll(
      () => takePlace(this.#ownProgram, signal), // first: who waits for this one keeps none of the fleet's
      () => takePlace(this.#among(this.#options.programs), signal),
      takeDial,
    );
  }

  #among({ usual, suspect }: Places): Places['usual'] {
    return this.#failure ? suspect : usual;
  }

  /** Its connection is a dial until it is open, which the API server does before it asks the node. */
  async #run(exec: NonNullable<Member['exec']>, line: string, signal: AbortSignal): Promise<string> {
    await this.#takePlace(signal); // it is held already, unless an attempt failed before
    const leave = this.#place ?? (() => {});
    this.#place = undefined; // it goes with this program, whose end may come when another is being started
    try {
      return await exec(line, signal, leave);
    } finally {
      leave();
    }
  }

  async #takePlace(signal: AbortSignal): Promise<void> {
    if (!(this.byExec || this.#dialMember) || this.#road.open() || this.#place) return;
    const leave = await takePlace(this.#among(this.#options.dials), signal);
    if (this.#place) leave();
    else this.#place = leave;
  }

  #leavePlace(): void {
    this.#place?.();
    this.#place = undefined;
  }

  async #dial(): Promise<Duplex> {
    const startedMs = performance.now();
    const { signal, release } = tieFor(this.#limits.firstAttemptMs, this.#gone.signal);
    try {
      await this.#takePlace(signal); // it is held already, unless a stream broke and is opened anew
      signal.throwIfAborted();
      const stream = await this.#dialMember?.(signal);
      if (!stream) throw new Fault('no way to dial', { code: 'INTERNAL' });
      this.#dialMs = performance.now() - startedMs;
      return stream;
    } finally {
      release();
      this.#leavePlace();
    }
  }

  /** An API server that is away, or a right that is lacking, is no failure of this node: the next call tries again. */
  #note(fault: Fault): void {
    if (nodeFaults.has(fault.code)) this.#failure = { fault, triedAt: new Date() };
  }

  #schedule(probeMs: number): void {
    clearTimeout(this.#timer);
    if (this.#gone.signal.aborted || (this.byExec && !this.#failure)) return; // a program leaves nothing to keep warm
    const inMs = this.#failure ? probeMs : this.#options.limits.keepWarmMs;
    this.#timer = setTimeout(() => void this.#tend(probeMs), inMs).unref();
  }

  /** While the bridge is in use: looks whether a failed node is back, and keeps a good node's stream from idling out. */
  async #tend(probeMs: number): Promise<void> {
    if (performance.now() - this.#usedAtMs > this.#options.limits.warmMs) return this.#rest();
    let leave = () => {};
    try {
      leave = await this.#enter(this.#gone.signal);
      await probeNode(this.#askOptions(this.#gone.signal));
      if (this.#failure) this.#options.log.info('node answers again', { node: this.name });
      this.#failure = undefined;
    } catch (thrown) {
      if (!this.#gone.signal.aborted) this.#note(Fault.from(thrown));
    } finally {
      leave();
    }
    this.#schedule(Math.min(probeMs * 2, this.#limits.lastProbeMs));
  }

  /** Nobody asks any more. What was known of it grows old from here on, so the next call finds out anew. */
  #rest(): void {
    this.#failure = undefined;
    this.#road.close();
  }
}

const nodeFaults: ReadonlySet<FaultCode> = new Set(['NODE_TIMEOUT', 'NODE_UNREACHABLE', 'NODE_BAD_ANSWER']);
