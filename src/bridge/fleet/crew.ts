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
  /** Nodes whose agent is the same keep their stream and what is known of them; the others' are closed. */
  follow(members: readonly Member[]): readonly FleetNode[];
}

export function createCrew(options: Omit<NodeOptions, 'dials' | 'programs'>): Crew {
  const nodes = new Map<string, FleetNode>();
  const places = {
    dials: placesFor(maxDials, suspectDials),
    programs: placesFor(maxPrograms, suspectPrograms),
  };
  return {
    follow(members) {
      const keys = new Set(members.map(({ key }) => key));
      for (const [key, node] of nodes) {
        if (keys.has(key)) continue;
        node.close();
        nodes.delete(key);
      }
      return members.map((member) => {
        const node = nodes.get(member.key) ?? new FleetNode(member, { ...options, ...places });
        node.hear(member);
        nodes.set(member.key, node);
        return node;
      });
    },
  };
}
