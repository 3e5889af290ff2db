import { plainText } from '../../core/words.ts';
import type { RawMetadata } from './metadata.ts';

/** An event of type Warning. */
export interface Warning {
  readonly about: { readonly kind: string; readonly namespace: string; readonly name: string };
  readonly reason: string;
  readonly message: string;
  /** RFC 3339 in UTC, so that it sorts as text. */
  readonly at: string;
}

/** An event as the API server sends it, as far as we look. */
export interface RawEvent {
  readonly metadata?: RawMetadata;
  readonly involvedObject?: { readonly kind?: string; readonly namespace?: string; readonly name?: string };
  readonly reason?: string;
  readonly message?: string;
  readonly lastTimestamp?: string | null;
  readonly eventTime?: string | null;
}

/** Pod Security names each rule that a pod breaks, one after the other. */
const maxMessageCharacters = 800;

export function readWarning(event: RawEvent): Warning {
  const { kind = '', namespace = '', name = '' } = event.involvedObject ?? {};
  return {
    about: { kind, namespace, name },
    reason: plainText(event.reason ?? ''),
    message: plainText(event.message ?? '', maxMessageCharacters),
    at: event.lastTimestamp ?? event.eventTime ?? event.metadata?.creationTimestamp ?? '',
  };
}

/** The newest warning about one object as `FailedCreate: pods "…" is forbidden: …`; null if there is none. */
export function latestWarning(
  warnings: readonly Warning[],
  kind: string,
  { namespace, name }: { readonly namespace: string; readonly name: string },
): string | null {
  let latest: Warning | undefined;
  for (const warning of warnings) {
    const { about } = warning;
    if (about.kind !== kind || about.name !== name || about.namespace !== namespace) continue;
    if (latest === undefined || warning.at > latest.at) latest = warning;
  }
  return latest ? `${latest.reason}: ${latest.message}` : null;
}
