import type { Whole } from './fake-board.ts';

/** How a GPU is connected, in NVML's numbers. Fields of a link are fields with its number as scope. */
export interface FakeLinks {
  nvlinks?: readonly FakeNvLink[] | null;
  peers?: readonly FakePeer[];
}

export interface FakeNvLink {
  link: number;
  active: number;
  remoteType?: number | null;
  remotePci?: { domain: number; bus: number; device: number } | null;
  /** By nvmlNvLinkErrorCounter_t: up to NVLink 3. */
  errors?: readonly Whole[];
}

export interface FakePeer {
  index: number;
  ancestor?: number | null;
  /** nvmlGpuP2PStatus_t by nvmlGpuP2PCapsIndex_t. */
  p2p?: readonly (number | null)[];
}

/** The lines of the links, and without them the rest. */
export function linksLines<Gpu extends FakeLinks>({ nvlinks, peers = [], ...rest }: Gpu) {
  return { lines: [...(nvlinks ?? []).flatMap(linkLines), ...peers.flatMap(peerLines)], rest };
}

function linkLines({ link, active, remoteType, remotePci, errors = [] }: FakeNvLink): string[] {
  const lines = [
    `active ${active}`,
    remoteType != null && `remoteType ${remoteType}`,
    remotePci && `remotePci ${remotePci.domain} ${remotePci.bus} ${remotePci.device}`,
    ...errors.map((count, counter) => `error.${counter} ${count}`),
  ];
  return lines.filter((line) => typeof line === 'string').map((line) => `nvlink.${link}.${line}`);
}

function peerLines({ index, ancestor, p2p = [] }: FakePeer): string[] {
  const lines = [
    ancestor != null && `ancestor ${ancestor}`,
    ...p2p.map((status, capability) => status !== null && `p2p.${capability} ${status}`),
  ];
  return lines.filter((line) => typeof line === 'string').map((line) => `peer.${index}.${line}`);
}
