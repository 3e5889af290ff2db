import type { z } from 'zod';

import type { linkShape } from './gpu-shape.ts';

export type LinkRow = NonNullable<z.output<typeof linkShape.nvlinks>>[number];

/** What is wrong with a GPU's NVLinks. */
export interface LinkTroubles {
  readonly down: readonly number[];
  /** Of which the driver does not tell whether they are up. */
  readonly untold: readonly number[];
  /** Slower than the fastest link of its equals. */
  readonly slow: readonly number[];
  readonly errors: readonly string[];
}

/** Healthy links have these too: what forward error correction mends. */
const corrected: ReadonlySet<string> = new Set(['symbol', 'symbolBer']);
/** What is left after the correction: beyond this DCGM fails a link of NVLink 5. */
const mostEffectiveBer = 1e-12;

/** @param fastest of the links of equal GPUs, in MB/s; null: not known */
export function linkTroubles(links: readonly LinkRow[], fastest: number | null): LinkTroubles {
  return {
    down: links.filter(({ active }) => active === false).map(({ link }) => link),
    untold: links.filter(({ active }) => active === null).map(({ link }) => link),
    slow: links
      .filter(
        ({ active, speedMegabytesPerSecond: speed }) => active && speed !== null && speed < (fastest ?? 0),
      )
      .map(({ link }) => link),
    errors: links.flatMap(({ link, errors }) =>
      Object.entries(errors).flatMap(([name, count]) =>
        count > (name === 'effectiveBer' ? mostEffectiveBer : 0) && !corrected.has(name)
          ? [`link ${link} ${name} ${count}`]
          : [],
      ),
    ),
  };
}

/** `18 of 18 NVLinks up (version 5, 53.1 GB/s each, to switches, symbolBer up to 1e-9)`. */
export function linksText(links: readonly LinkRow[]): string {
  const up = links.filter(({ active }) => active);
  const speeds = new Set(up.map(({ speedMegabytesPerSecond: speed }) => speed));
  const versions = new Set(up.map(({ version }) => version));
  const remotes = new Set(up.map(({ remoteType }) => remoteType));
  const each = [
    ...[...versions].flatMap((version) => (version === null ? [] : [`version ${version}`])),
    ...[...speeds].flatMap((speed) => (speed === null ? [] : [`${(speed / 1000).toFixed(1)} GB/s each`])),
    ...[...remotes].flatMap((remote) =>
      remote === null ? [] : [`to ${remote === 'switch' ? 'switches' : `${remote}s`}`],
    ),
    ...['symbol', 'symbolBer', 'effectiveBer'].flatMap((name) => {
      const most = Math.max(0, ...links.map(({ errors }) => errors[name] ?? 0));
      return most > 0 ? [`${name} up to ${most}`] : [];
    }),
    ...unreadTexts(links),
  ];
  return `${up.length} of ${links.length} NVLinks up${each.length > 0 ? ` (${each.join(', ')})` : ''}`;
}

/** Counters that could not be read say nothing of a link; those that its generation lacks are not missed. */
export function unreadCounters(links: readonly LinkRow[]): string[] {
  const reasons = links.flatMap(({ missing }) => missing['errors'] ?? []);
  return reasons.filter((reason) => !reason.startsWith('notSupported'));
}

function unreadTexts(links: readonly LinkRow[]): string[] {
  const unread = unreadCounters(links);
  const reasons = [...new Set(unread)].join(', ');
  return unread.length > 0 ? [`error counters of ${unread.length} not read: ${reasons}`] : [];
}

/** `down: 3, 4; slower than their equals: 7; link 5 replays 12`; null where nothing is wrong. */
export function troublesText({ down, untold, slow, errors }: LinkTroubles): string | null {
  const parts = [
    down.length > 0 && `down: ${down.join(', ')}`,
    untold.length > 0 && `state not told: ${untold.join(', ')}`,
    slow.length > 0 && `slower than their equals: ${slow.join(', ')}`,
    ...errors,
  ].filter(Boolean);
  return parts.length > 0 ? parts.join('; ') : null;
}

/** None that is up: on some boards normal, on others the fabric manager does not run or a bridge has fallen off. */
export function noneUp(links: readonly LinkRow[]): boolean {
  return links.some(({ active }) => active === false) && !links.some(({ active }) => active);
}
