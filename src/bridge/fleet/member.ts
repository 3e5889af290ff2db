import type { Duplex } from 'node:stream';

/** Where one node's agent is. A new `key` is a new agent: a replaced pod, another URL. */
export interface Member {
  readonly name: string;
  readonly key: string;
  /** As the cluster says; undefined where nobody says. What becomes ready is asked at once, though it failed before. */
  readonly ready?: boolean;
  readonly origin: URL;
  /** Opens the stream; undefined where the origin is dialled directly. */
  readonly dial: ((signal: AbortSignal) => Promise<Duplex>) | undefined;
  /** What the certificate must name, where the origin is https and its host says something else. */
  readonly serverName?: string | undefined;
  /** As far as is known it listens on its own loopback only, which is what a refused connection then means. */
  readonly loopbackOnly?: boolean;
  /**
   * Asks by a program started for each request, one line in and one out; then there is neither stream nor origin to dial.
   * `opened` is called as soon as there is a connection to it.
   */
  readonly exec?: ((line: string, signal: AbortSignal, opened: () => void) => Promise<string>) | undefined;
}
