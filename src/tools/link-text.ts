import type { z } from 'zod';

import { groupBy } from '../core/group-by.ts';
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
    errors: links.flatMap(({ link, errors }) => {
      const some = Object.entries(errors).filter(
        ([name, count]) => count > (name === 'effectiveBer' ? mostEffectiveBer : 0) && !corrected.has(name),
      );
      return some.length > 0
        ? [`errors of link ${link}: ${some.map(([name, count]) => `${name} ${count}`).join(', ')}`]
        : [];
    }),
  };
}

/** `18 of 18 NVLinks up (version 5, 53.1 GB/s each, to switches, symbolBer up to 1e-9)`. */
export function linksText(links: readonly LinkRow[]): string {
  const up = links.filter(({ active }) => active);
  const versions = new Set(up.map(({ version }) => version));
  const remotes = new Set(up.map(({ remoteType }) => remoteType));
  const each = [
    ...[...versions].flatMap((version) => (version === null ? [] : [`version ${version}`])),
    ...speedTexts(up),
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

/** `26.6 GB/s each`, and `links 3, 7 13.3 GB/s each` where they differ. */
function speedTexts(up: readonly LinkRow[]): string[] {
  const known = up.filter(({ speedMegabytesPerSecond: speed }) => speed !== null);
  const alike = [...groupBy(known, ({ speedMegabytesPerSecond: speed }) => speed ?? 0)];
  return alike
    .sort(([, a], [, b]) => b.length - a.length)
    .map(([speed, links], at) => {
      const which = at === 0 ? '' : `links ${links.map(({ link }) => link).join(', ')} `;
      return `${which}${(speed / 1000).toFixed(1)} GB/s each`;
    });
}

/** The fastest of its links, in MB/s; null where no speed is known. */
export function fastestOf(links: readonly LinkRow[]): number | null {
  const speeds = links.flatMap(({ speedMegabytesPerSecond: speed }) => speed ?? []);
  return speeds.length > 0 ? Math.max(...speeds) : null;
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

/** `down: 3, 4; slower than their equals: 7; errors of link 5: replays 12`; null where nothing is wrong. */
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
