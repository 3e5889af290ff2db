import { plainText } from '../../core/words.ts';
import type { RawMetadata } from './metadata.ts';

/** An event of type Warning. */
export interface Warning {
  /** The uid of what it is about: an object that had the same name before is another one. */
  readonly about: string;
  readonly reason: string;
  readonly message: string;
  /** RFC 3339 in UTC, so that it sorts as text. */
  readonly at: string;
}

/** An event as the API server sends it, as far as we look. */
export interface RawEvent {
  readonly metadata?: RawMetadata;
  readonly involvedObject?: { readonly uid?: string };
  readonly reason?: string;
  readonly message?: string;
  readonly lastTimestamp?: string | null;
  readonly eventTime?: string | null;
}

/** Pod Security names each rule that a pod breaks, one after the other. */
const maxMessageCharacters = 800;

export function readWarning(event: RawEvent): Warning {
  return {
    about: event.involvedObject?.uid ?? '',
    reason: plainText(event.reason ?? ''),
    message: plainText(event.message ?? '', maxMessageCharacters),
    at: event.lastTimestamp ?? event.eventTime ?? event.metadata?.creationTimestamp ?? '',
  };
}

/** The newest warning about one object; null if there is none. */
export function latestWarning(
  warnings: readonly Warning[],
  { uid }: { readonly uid: string },
): Warning | null {
  let latest: Warning | null = null;
  for (const warning of warnings) {
    if (warning.about === uid && (latest === null || warning.at > latest.at)) latest = warning;
  }
  return latest;
}

/** `FailedCreate: pods "…" is forbidden: …` */
export function warningText({ reason, message }: Warning): string {
  return `${reason}: ${message}`;
}
