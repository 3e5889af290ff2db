import { setMaxListeners } from 'node:events';

import { Fault } from '../../core/fault.ts';
import type { Member } from './member.ts';
import { FleetNode, type NodeOptions } from './node.ts';
import { placesFor } from './place.ts';

/** Being opened at once, through one API server. */
const maxDials = 64;
const suspectDials = 8;
/** At most one on each node, with a connection through the API server while it runs: no more than port-forwards that stay open. */
const maxPrograms = 256;
const suspectPrograms = 32;

/** The nodes of a fleet, from call to call. */
export interface Crew {
  /** Aborts when it is closed: whatever is in progress ends with it. */
  readonly closed: AbortSignal;
  /**
   * Nodes whose agent is the same keep their stream and what is known of them; the others' are closed.
   *
   * @throws Fault once it is closed: nobody would close what is opened then
   */
  follow(members: readonly Member[]): readonly FleetNode[];
  close(): void;
}

export function createCrew(options: Omit<NodeOptions, 'dials' | 'programs'>): Crew {
  const nodes = new Map<string, FleetNode>();
  const places = {
    dials: placesFor(maxDials, suspectDials),
    programs: placesFor(maxPrograms, suspectPrograms),
  };
  const closing = new AbortController();
  setMaxListeners(0, closing.signal); // each call follows it
  const keepOnly = (keys: ReadonlySet<string>) => {
    for (const [key, node] of nodes) {
      if (keys.has(key)) continue;
      node.close();
      nodes.delete(key);
    }
  };
  return {
    closed: closing.signal,
    follow(members) {
      closing.signal.throwIfAborted();
      keepOnly(new Set(members.map(({ key }) => key)));
      return members.map((member) => {
        const node = nodes.get(member.key) ?? new FleetNode(member, { ...options, ...places });
        node.hear(member);
        nodes.set(member.key, node);
        return node;
      });
    },
    close() {
      closing.abort(new Fault('the fleet was closed', { code: 'NODE_UNREACHABLE' }));
      keepOnly(new Set());
    },
  };
}
