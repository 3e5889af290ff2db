import { plainText } from '../../core/words.ts';

/** Why a pod's agent cannot be asked. */
export interface Trouble {
  /** Continues a sentence that begins with the pod's name: `is waiting: CrashLoopBackOff: …`. */
  readonly what: string;
  /** False where a state is only named (`ContainerCreating`): what it waits for is in the events. */
  readonly explained: boolean;
}

/** A pod's status as the API server sends it, as far as we look. */
export interface RawPodStatus {
  readonly phase?: string;
  readonly reason?: string;
  readonly message?: string;
  readonly podIP?: string;
  readonly conditions?: readonly (Explained & { readonly type?: string; readonly status?: string })[];
  readonly initContainerStatuses?: readonly RawContainerStatus[];
  readonly containerStatuses?: readonly RawContainerStatus[];
}

interface Explained {
  readonly reason?: string;
  readonly message?: string;
}

interface RawContainerStatus {
  readonly name?: string;
  readonly restartCount?: number;
  readonly state?: RawContainerState;
  readonly lastState?: RawContainerState;
}

interface RawContainerState {
  readonly waiting?: Explained;
  readonly terminated?: Explained & { readonly exitCode?: number };
}

/** Null while the container runs, ready or not. */
export function troubleIn(
  status: RawPodStatus,
  container: string,
  nodeName: string | undefined,
): Trouble | null {
  const { phase = 'Pending' } = status;
  if (phase !== 'Running' && phase !== 'Pending') return trouble(`is ${phase}`, status);

  const inContainer = initTrouble(status) ?? containerTrouble(status, container);
  if (inContainer !== null) return inContainer;
  if (phase === 'Running' && nodeName) return null;

  const isUnscheduled = status.conditions?.find(
    (one) => one.type === 'PodScheduled' && one.status === 'False',
  );
  return trouble('is Pending', isUnscheduled ?? status);
}

/** Comes first: until the init containers are done, all others only say PodInitializing. */
function initTrouble({ initContainerStatuses = [] }: RawPodStatus): Trouble | null {
  for (const { name, state: { waiting, terminated } = {} } of initContainerStatuses) {
    if (waiting) return trouble(`is waiting in its init container ${name}`, waiting);
    if (terminated && terminated.exitCode !== 0)
      return { what: `has a failed init container ${name}: ${ending(terminated)}`, explained: true };
  }
  return null;
}

function containerTrouble({ containerStatuses = [] }: RawPodStatus, container: string): Trouble | null {
  const status = containerStatuses.find(({ name }) => name === container);
  const { waiting, terminated } = status?.state ?? {};
  if (terminated) return { what: `has ended: ${ending(terminated)}`, explained: true };
  if (!waiting) return null;
  const before = status?.lastState?.terminated;
  const now = trouble('is waiting', waiting);
  return before ? { what: `${now.what}; before that: ${ending(before)}`, explained: true } : now;
}

function ending(terminated: Explained & { readonly exitCode?: number }): string {
  return trouble(`exit code ${terminated.exitCode}`, terminated).what;
}

function trouble(what: string, { reason, message }: Explained): Trouble {
  const parts = [what, reason, message].filter((part) => part !== undefined && part !== '');
  return { what: parts.map((part) => plainText(part ?? '')).join(': '), explained: Boolean(message) };
}
