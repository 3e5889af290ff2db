export type Id = number | string;

/** One JSON-RPC message, as it travels. */
export interface Message {
  readonly jsonrpc?: string;
  readonly id?: Id;
  readonly method?: string;
  readonly params?: Readonly<Record<string, unknown>>;
  readonly result?: Readonly<Record<string, unknown>>;
  readonly error?: { readonly code: number; readonly message: string };
}

/**
 * What a host sends, as others have recorded it from the real one. Written down as data: that the server answers a
 * protocol is one thing, that it answers these very messages in this very order another.
 */
export interface Persona {
  readonly name: string;
  /** Of the protocol, once both have agreed. */
  readonly revision: string;
  /**
   * What it says first. The messages of a group are written without waiting for answers; the next group follows when
   * all of the group have been answered.
   */
  readonly opening: readonly (readonly Message[])[];
  /** A tool call, the so many-th since the opening; from 0. */
  call(tool: string, args: object | undefined, count: number): Message;
  /** Taking a call back. */
  cancel(id: Id): Message;
  /** What its model reads of a result that has both. */
  readonly shows: 'content' | 'structuredContent';
  /** All that the server finds in its environment, besides what the entry of the server sets. */
  readonly environment: Readonly<Record<string, string>>;
  /** How it ends a server. */
  readonly leaves: 'closes stdin' | NodeJS.Signals;
}

/** What the SDK hands on to a server that it starts, from a program that a desktop started: the PATH is launchd's. */
export const desktopEnvironment: Readonly<Record<string, string>> = {
  HOME: '/does/not/exist',
  LOGNAME: 'sre',
  PATH: '/usr/bin:/bin:/usr/sbin:/sbin',
  SHELL: '/bin/zsh',
  TERM: 'dumb',
  USER: 'sre',
};
