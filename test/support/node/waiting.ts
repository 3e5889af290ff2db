import { setTimeout as sleep } from 'node:timers/promises';

export interface Waiting {
  /**
   * Polls until `predicate` resolves to something, which it resolves to; a rejection counts as nothing.
   * @throws Error with the last rejection, every pod and the newest events, after `limitMs` (a minute unless told)
   */
  waitFor<T>(what: string, predicate: () => Promise<T | undefined | false>, limitMs?: number): Promise<T>;
  /** The pods with these labels (`key=value,…`), once there are `count` of them and all are Ready. */
  waitForPods(labels: string, of: { namespace: string; count?: number; limitMs?: number }): Promise<Pod[]>;
}

/** As the API server tells it, as far as tests look at it. */
export interface Pod {
  readonly metadata: {
    readonly name: string;
    readonly namespace: string;
    readonly uid: string;
    readonly deletionTimestamp?: string;
  };
  readonly spec: { readonly nodeName?: string };
  readonly status: {
    readonly phase: string;
    readonly podIP?: string;
    readonly conditions?: readonly {
      readonly type: string;
      readonly status: string;
      readonly lastTransitionTime: string;
    }[];
    readonly containerStatuses?: readonly ContainerStatus[];
  };
}

interface ContainerStatus {
  readonly name: string;
  readonly containerID?: string;
  readonly ready: boolean;
  readonly restartCount: number;
  readonly state: Readonly<Record<string, { reason?: string; message?: string; exitCode?: number }>>;
  readonly lastState: Readonly<Record<string, { reason?: string; exitCode?: number }>>;
}

export function waiting(kubectl: (...args: string[]) => Promise<string>): Waiting {
  const tell = async () => {
    const pods = await kubectl('get', 'pods', '--all-namespaces', '--output=wide').catch(String);
    const events = await kubectl(
      ...['get', 'events', '--all-namespaces', '--sort-by=.lastTimestamp'],
      '--field-selector=involvedObject.kind!=Node',
    ).catch(String);
    return `${pods}\n${events.trimEnd().split('\n').slice(-30).join('\n')}`;
  };
  const waitFor: Waiting['waitFor'] = async (what, predicate, limitMs = 60_000) => {
    const giveUpAt = Date.now() + limitMs;
    for (;;) {
      let rejected: unknown = '';
      const found = await predicate().catch((cause: unknown) => {
        rejected = cause;
      });
      if (found) return found;
      if (Date.now() > giveUpAt)
        throw new Error(`no ${what} within ${limitMs} ms ${rejected}\n${await tell()}`, { cause: rejected });
      await sleep(100);
    }
  };
  return {
    waitFor,
    waitForPods(labels, { namespace, count = 1, limitMs }) {
      const find = async () => {
        const said = await kubectl(
          'get',
          'pods',
          `--selector=${labels}`,
          `--namespace=${namespace}`,
          '--output=json',
        );
        const { items } = JSON.parse(said) as { items: Pod[] };
        return items.length === count && items.every(isReady) && items;
      };
      return waitFor(`${count} Ready pods with ${labels} in ${namespace}`, find, limitMs);
    },
  };
}

function isReady({ metadata, status }: Pod): boolean {
  return (
    !metadata.deletionTimestamp &&
    Boolean(status.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True'))
  );
}
