import pLimit from 'p-limit';

import { FleetNode, type Member, type NodeOptions } from './node.ts';

const maxDials = 64;
const suspectDials = 8;

/** The nodes of a fleet, from call to call. */
export interface Crew {
  /** Nodes whose agent is the same keep their stream and what is known of them; the others' are closed. */
  follow(members: readonly Member[]): readonly FleetNode[];
}

export function createCrew(options: Omit<NodeOptions, 'dials'>): Crew {
  const nodes = new Map<string, FleetNode>();
  const dials = { usual: pLimit(maxDials - suspectDials), suspect: pLimit(suspectDials) };
  return {
    follow(members) {
      const keys = new Set(members.map(({ key }) => key));
      for (const [key, node] of nodes) {
        if (keys.has(key)) continue;
        node.close();
        nodes.delete(key);
      }
      return members.map((member) => {
        const node = nodes.get(member.key) ?? new FleetNode(member, { ...options, dials });
        node.hear(member);
        nodes.set(member.key, node);
        return node;
      });
    },
  };
}
