import { Fault } from '../../core/fault.ts';
import type { Log } from '../../core/log.ts';
import { timeLimit } from '../../core/time-limit.ts';
import { plainText } from '../../core/words.ts';
import type { Api } from './api.ts';
import type { RawMetadata } from './metadata.ts';
import type { Question } from './trouble.ts';
import { waitFor } from './waiting.ts';

interface Source<Item> {
  readonly api: Api;
  /** With its selectors, without what makes it a list or a watch: `/api/v1/pods?labelSelector=…` */
  readonly path: string;
  readonly question: Question;
  /** Keeps of an object what is needed. */
  readonly keep: (object: object) => Item;
  readonly log: Log;
  /** Ends with the cluster. */
  readonly life: AbortSignal;
  /** Milliseconds since 1970; wall clock, because it goes on while a laptop sleeps and its connections die. */
  readonly now?: () => number;
}

interface RawList {
  readonly metadata?: { readonly resourceVersion?: string };
  readonly items?: readonly { readonly metadata?: RawMetadata }[];
}

interface RawEvent {
  readonly type?: string;
  readonly object?: { readonly metadata?: RawMetadata; readonly message?: string };
}

const listLimitMs = 30_000;
/** The server sends a bookmark about once a minute, so longer silence means a connection that died unheard. */
const silenceMs = 120_000;
/** A watch that did not even last this long is not tried again at once. */
const shortLifeMs = 10_000;
const firstPauseMs = 500;
const longestPauseMs = 5_000;
/** How long a refusal is believed: rights are granted while people wait, but not every second. */
const forbiddenMs = 10_000;

/** All objects of one kind, as they are now: listed once, then kept up by a watch. */
export class WatchList<Item> {
  readonly #source: Source<Item>;
  readonly #now: () => number;
  readonly #items = new Map<string, Item>();
  #watching: AbortController | null = null;
  #listing: Promise<void> | null = null;
  #heardAt = 0;
  #failures = 0;
  /** Until then the list is used as it is, although nothing watches. */
  #pausedUntil = 0;
  #forbidden: { fault: Fault; until: number } | null = null;

  constructor(source: Source<Item>) {
    this.#source = source;
    this.#now = source.now ?? Date.now;
  }

  /**
   * Lists, if there is no watch that still lives. Callers that come at the same time share one list.
   *
   * @throws Fault CLUSTER_…, KUBECONFIG_… and what else logging in can throw; the signal's reason
   */
  async read(signal: AbortSignal): Promise<readonly Item[]> {
    signal.throwIfAborted();
    const now = this.#now();
    if (this.#forbidden && now < this.#forbidden.until) throw this.#forbidden.fault;
    const live = this.#watching !== null && now - this.#heardAt < silenceMs;
    if (!live && now >= this.#pausedUntil) await this.#listOnce(signal);
    return [...this.#items.values()];
  }

  /** Ends the watch; the next read lists anew. */
  stop(): void {
    const own = this.#watching;
    this.#watching = null;
    this.#pausedUntil = 0;
    own?.abort();
  }

  /** Who joined a list that others had started, and that failed, may have come after what made it fail. */
  async #listOnce(signal: AbortSignal): Promise<void> {
    const late = (cause: unknown) => notYet(this.#source, cause);
    const others = this.#listing;
    if (others !== null) {
      try {
        return await waitFor(others, signal, late);
      } catch (thrown) {
        if (signal.aborted || this.#forbidden) throw thrown;
      }
    }
    this.#listing ??= this.#refresh();
    await waitFor(this.#listing, signal, late);
  }

  async #refresh(): Promise<void> {
    try {
      await this.#list();
      this.#forbidden = null;
    } catch (thrown) {
      if (thrown instanceof Fault && thrown.code === 'CLUSTER_FORBIDDEN')
        this.#forbidden = { fault: thrown, until: this.#now() + forbiddenMs };
      throw thrown;
    } finally {
      this.#listing = null;
    }
  }

  async #list(): Promise<void> {
    const { api, path, question, keep, log, life } = this.#source;
    this.stop();
    const signal = AbortSignal.any([life, timeLimit(listLimitMs)]);
    // From the API server's own memory, where that has it: much cheaper than asking etcd.
    const answer = await api.get(withQuery(path, { resourceVersion: '0' }), question, signal);
    const { items = [], metadata } = answer as RawList;
    this.#items.clear();
    for (const object of items) this.#items.set(object.metadata?.uid ?? '', keep(object));
    this.#heardAt = this.#now();
    log.debug('listed', { path, count: this.#items.size });
    if (!life.aborted) void this.#watch(metadata?.resourceVersion ?? '0');
  }

  async #watch(resourceVersion: string): Promise<void> {
    const { api, path, question, life } = this.#source;
    const own = new AbortController();
    this.#watching = own;
    const startedAt = this.#now();
    const query = { watch: 'true', allowWatchBookmarks: 'true', resourceVersion };
    const options = {
      onEvent: (event: unknown) => this.#apply(event as RawEvent),
      signal: AbortSignal.any([life, own.signal]),
    };
    const end = await api.watch(withQuery(path, query), { ...question, verb: 'watch' }, options).then(
      () => 'ended by the server',
      (thrown: unknown) => Fault.from(thrown).message,
    );
    if (this.#watching !== own || life.aborted) return; // stopped, or replaced by a newer one
    own.abort();
    this.#ended(end, this.#now() - startedAt);
  }

  #ended(end: string, livedMs: number): void {
    const short = livedMs < shortLifeMs;
    this.#watching = null;
    this.#failures = short ? this.#failures + 1 : 0;
    const pauseMs = short ? Math.min(longestPauseMs, firstPauseMs * 2 ** (this.#failures - 1)) : 0;
    this.#pausedUntil = this.#now() + pauseMs;
    const { path, log } = this.#source;
    log.debug('watch ended', { path, end, livedMs, pauseMs });
  }

  #apply({ type, object = {} }: RawEvent): void {
    this.#heardAt = this.#now();
    const uid = object.metadata?.uid ?? '';
    if (type === 'ADDED' || type === 'MODIFIED') this.#items.set(uid, this.#source.keep(object));
    else if (type === 'DELETED') this.#items.delete(uid);
    else if (type === 'ERROR')
      throw new Fault(plainText(object.message ?? 'error'), { code: 'CLUSTER_UNREACHABLE' });
  }
}

function notYet({ api, question }: { api: Api; question: Question }, cause: unknown): Fault {
  const what = `${question.verb} ${question.resource}`;
  return new Fault(`${api.server()} has not answered in time (${what})`, {
    code: 'CLUSTER_UNREACHABLE',
    cause,
  });
}

function withQuery(path: string, query: Record<string, string>): string {
  return `${path}${path.includes('?') ? '&' : '?'}${new URLSearchParams(query)}`;
}
