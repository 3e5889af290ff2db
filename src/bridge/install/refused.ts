import { Fault } from '../../core/fault.ts';

/** Where an entry goes. */
export interface Place {
  readonly file: string;
  /** The object of all servers, and the name of ours in it. */
  readonly path: readonly [servers: string, name: string];
}

export interface Edited {
  /** The whole file. Unchanged where the entry was so already. */
  readonly text: string;
  /** The entry as it was; undefined where there was none. */
  readonly before: unknown;
  readonly after: unknown;
}

/** Says what is wrong, and never quotes the file: there are keys and passwords of others in it. */
export function refused({ file }: Place, what: string, line?: number): Fault {
  const where = line === undefined ? file : `${file}, line ${line}`;
  return new Fault(`${where}: ${what}; nothing was changed`, { code: 'HOST_CONFIG_INVALID' });
}
