import type { NvLink } from '../core/link-readings.ts';
import type { Reading } from '../core/reading.ts';
import type { PeerPath } from '../core/topology.ts';
import { type Board, boards } from './boards.ts';
import type { ScenarioNode } from './scenario.ts';

const switches = 4;
const FIRST_SWITCH_BUS = 0xc1;

/** Every link of a healthy board is up, and leads to one of the node's switches. */
export function simulatedLinks({ nvlink }: Board): Reading<readonly NvLink[]> {
  if (!nvlink) return { missing: 'notSupported' };
  return {
    value: Array.from({ length: nvlink.links }, (_, link) => ({
      link,
      active: true,
      version: nvlink.version,
      speedMegabytesPerSecond: nvlink.megabytesPerSecond,
      remoteType: 'switch' as const,
      remotePciAddress: `0000:${(FIRST_SWITCH_BUS + (link % switches)).toString(16)}:00.0`,
      errors:
        nvlink.version < 5
          ? { replays: 0, recoveries: 0, crc: 0 }
          : { received: 0, effectiveBer: 0, symbolBer: 0 },
      missing: {},
    })),
  };
}

/** Boards of one socket are nearer to each other, and boards with NVLink reach each other's memory by it. */
export function simulatedPeers({ gpus }: ScenarioNode, index: number): PeerPath[] {
  const socket = (gpu: number) => (gpu < gpus.length / 2 ? 0 : 1);
  const linked = gpus.map((model) => boards[model].nvlink !== null);
  return gpus.flatMap((_, other) => {
    if (other === index) return [];
    const byNvlink = linked[index] === true && linked[other] === true;
    const near = socket(index) === socket(other);
    return { index: other, commonAncestor: { value: near ? 'NODE' : 'SYS' }, p2p: p2p(byNvlink) };
  });
}

const ok: Reading<string> = { value: 'ok' };
const not: Reading<string> = { value: 'notSupported' };

function p2p(byNvlink: boolean): PeerPath['p2p'] {
  const [nvlink, pci] = byNvlink ? [ok, not] : [not, ok];
  return { read: ok, write: ok, nvlink, atomics: nvlink, pci };
}
