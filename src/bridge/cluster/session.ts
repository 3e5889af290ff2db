import type { Duplex } from 'node:stream';
import { Fault } from '../../core/fault.ts';
import type { Log } from '../../core/log.ts';
import { timeLimit } from '../../core/time-limit.ts';
import { sentence } from '../../core/words.ts';
import { type Access, type Login, openAccess } from './access.ts';
import { type Api, openApi, withLogin } from './api.ts';
import { type DaemonSet, type RawDaemonSet, readDaemonSet } from './daemon-set.ts';
import { discover, type Known } from './discover.ts';
import { execute } from './exec.ts';
import { forward } from './forward.ts';
import { type Node, type RawNode, readNode } from './gpu-node.ts';
import { agentLabel } from './metadata.ts';
import { type Pod, type RawPod, readPod } from './pod.ts';
import { PodGone } from './pod-socket.ts';
import type { Machine } from './programs.ts';
import type { Agent, View } from './view.ts';
import { type RawEvent, readWarning, type Warning } from './warning.ts';
import { WatchList } from './watch-list.ts';

export interface SessionOptions extends Machine {
  readonly context?: string;
  readonly namespace?: string;
  readonly selector?: string;
  readonly log: Log;
}

const idleMs = 10 * 60_000;
/** Events only explain; an answer does not wait longer for them. */
const eventsLimitMs = 1_000;

/** Pods and DaemonSets, of one namespace or of all (null). */
interface Found {
  readonly namespace: string | null;
  readonly pods: readonly Pod[];
  readonly daemonSets: readonly DaemonSet[] | null;
  readonly notes: readonly string[];
}

/** One cluster as one user, from the first question until it is closed. See `Cluster` for what its methods promise. */
export class Session {
  readonly #options: SessionOptions;
  readonly #life = new AbortController();
  readonly #access: Access;
  readonly #api: Api;
  readonly #lists = new Map<string, WatchList<unknown>>();
  readonly #streams = new Set<Duplex>();
  readonly #calls = new Set<AbortController>();
  #idle: NodeJS.Timeout | undefined;

  constructor(options: SessionOptions) {
    this.#options = options;
    const { context, log } = options;
    this.#access = openAccess({ machine: options, context, log, life: this.#life.signal });
    this.#api = openApi(this.#access);
  }

  async view(signal: AbortSignal): Promise<View> {
    this.#life.signal.throwIfAborted();
    this.#stayAwake();
    await this.#access.login(signal); // first by itself, so that it is blamed where it is what takes so long
    const [found, nodes] = await Promise.all([this.#find(signal), this.#nodes(signal)]);
    const known = { ...found, nodes, selector: this.#options.selector ?? null };
    try {
      const view = needsNoReasons(known);
      if (view) return { ...view, notes: [...found.notes, ...view.notes] };

      const { warnings, notes } = await this.#warnings(found, signal);
      const explained = discover({ ...known, warnings });
      return { ...explained, notes: [...found.notes, ...explained.notes, ...notes] };
    } catch (thrown) {
      throw tellingWhere(thrown, found.notes);
    }
  }

  async dial(agent: Agent, signal: AbortSignal): Promise<Duplex> {
    const stream = await this.#atPod(signal, (login, either) => forward(login, agent, either));
    this.#streams.add(stream);
    stream.once('close', () => this.#streams.delete(stream));
    return stream;
  }

  exec(agent: Agent, line: string, signal: AbortSignal, opened?: () => void): Promise<string> {
    return this.#atPod(signal, (login, either) => execute(login, agent, { line, signal: either, opened }));
  }

  close(): void {
    clearTimeout(this.#idle);
    this.#life.abort();
    for (const call of this.#calls) call.abort(this.#life.signal.reason);
    for (const stream of this.#streams) stream.destroy();
  }

  async #atPod<T>(signal: AbortSignal, use: (login: Login, either: AbortSignal) => Promise<T>): Promise<T> {
    this.#life.signal.throwIfAborted();
    const own = new AbortController(); // not AbortSignal.any: for each request that would leave something behind
    const follow = () => own.abort(signal.reason);
    signal.addEventListener('abort', follow, { once: true });
    if (signal.aborted) follow();
    this.#calls.add(own);
    try {
      return await withLogin(this.#access, own.signal, (login) => use(login, own.signal));
    } catch (thrown) {
      if (thrown instanceof PodGone) this.#forget();
      throw thrown;
    } finally {
      signal.removeEventListener('abort', follow);
      this.#calls.delete(own);
    }
  }

  async #find(signal: AbortSignal): Promise<Found> {
    const { namespace } = this.#options;
    if (namespace !== undefined) return this.#findIn(namespace, signal);
    const everywhere = await orNullIfForbidden(this.#findIn(null, signal));
    if (everywhere) return everywhere;

    const login = await this.#access.login(signal);
    const note = `Pods may not be listed in all namespaces, so only namespace ${login.namespace} of context ${login.context} was searched; --namespace NAME searches another.`;
    const found = await this.#findIn(login.namespace, signal).catch((thrown) => {
      throw tellingWhere(thrown, [note]);
    });
    return { ...found, notes: [note] };
  }

  async #findIn(namespace: string | null, signal: AbortSignal): Promise<Found> {
    const { selector } = this.#options;
    const labels = selector ? `${agentLabel},${selector}` : agentLabel;
    const scope = namespace === null ? '' : `/namespaces/${encodeURIComponent(namespace)}`;
    const podPath = `/api/v1${scope}/pods?${new URLSearchParams({ labelSelector: labels })}`;
    const setPath = `/apis/apps/v1${scope}/daemonsets?${new URLSearchParams({ labelSelector: agentLabel })}`;
    const [pods, daemonSets] = await Promise.all([
      this.#list(podPath, { resource: 'pods', namespace }, (raw) => readPod(raw as RawPod)).read(signal),
      orNullIfForbidden(
        this.#list(setPath, { resource: 'daemonsets.apps', namespace }, (raw) =>
          readDaemonSet(raw as RawDaemonSet),
        ).read(signal),
      ),
    ]);
    return { namespace, pods, daemonSets, notes: [] };
  }

  #nodes(signal: AbortSignal): Promise<readonly Node[] | null> {
    const list = this.#list('/api/v1/nodes', { resource: 'nodes', namespace: null }, (raw) =>
      readNode(raw as RawNode),
    );
    return orNullIfForbidden(list.read(signal));
  }

  /** Of the namespaces that agents are, or should be, in. That they cannot be read is a note and no failure. */
  async #warnings(
    { pods, daemonSets }: Found,
    signal: AbortSignal,
  ): Promise<{ warnings: readonly Warning[]; notes: readonly string[] }> {
    const namespaces = new Set([...(daemonSets ?? []), ...pods].map(({ namespace }) => namespace));
    const limited = AbortSignal.any([signal, timeLimit(eventsLimitMs)]);
    const read = [...namespaces].slice(0, 3).map((namespace) => {
      const path = `/api/v1/namespaces/${namespace}/events?fieldSelector=type%3DWarning`;
      const question = { resource: 'events', namespace };
      return this.#list(path, question, (raw) => readWarning(raw as RawEvent)).read(limited);
    });
    const settled = await Promise.allSettled(read);
    signal.throwIfAborted();
    const failed = settled.find((one) => one.status === 'rejected');
    const why = failed && Fault.from(failed.reason).message;
    return {
      warnings: settled.flatMap((one) => (one.status === 'fulfilled' ? one.value : [])),
      notes: why ? [`Events could not be read, so reasons may be missing: ${why}`] : [],
    };
  }

  #list<Item>(
    path: string,
    { resource, namespace }: { resource: string; namespace: string | null },
    keep: (object: object) => Item,
  ): WatchList<Item> {
    const { log } = this.#options;
    const question = { verb: 'list', resource, namespace };
    const list =
      this.#lists.get(path) ??
      new WatchList<unknown>({ api: this.#api, path, question, keep, log, life: this.#life.signal });
    this.#lists.set(path, list);
    return list as WatchList<Item>;
  }

  #stayAwake(): void {
    clearTimeout(this.#idle);
    this.#idle = setTimeout(() => this.#forget(), idleMs).unref();
  }

  /** The next view lists anew. */
  #forget(): void {
    for (const list of this.#lists.values()) list.stop();
  }
}

/** What is found where all is well: then nobody asks for events. */
function needsNoReasons(known: Omit<Known, 'warnings'>): View | null {
  try {
    const view = discover({ ...known, warnings: [] });
    return view.withoutAgent.length === 0 ? view : null;
  } catch (thrown) {
    if (thrown instanceof Fault && thrown.code === 'NO_AGENTS' && known.daemonSets?.length) return null;
    throw thrown;
  }
}

/** Who finds nothing, or may not look, must hear that this was not everywhere. */
function tellingWhere(thrown: unknown, notes: readonly string[]): unknown {
  const isAboutPlace =
    thrown instanceof Fault && (thrown.code === 'NO_AGENTS' || thrown.code === 'CLUSTER_FORBIDDEN');
  if (!isAboutPlace || notes.length === 0) return thrown;
  const { code, message } = thrown;
  return new Fault([sentence(message), ...notes].join(' '), { code, cause: thrown });
}

async function orNullIfForbidden<T>(answer: Promise<T>): Promise<T | null> {
  try {
    return await answer;
  } catch (thrown) {
    if (thrown instanceof Fault && thrown.code === 'CLUSTER_FORBIDDEN') return null;
    throw thrown;
  }
}
