import { writeFile } from 'node:fs/promises';
import { z } from 'zod';

import { textOf } from './folder.ts';
import { lineOf, recordIn } from './record-line.ts';

/** An agent that has not written for so long no longer does. */
const goneAfterMs = 120_000;

const schema = z.object({
  life: z.int(),
  token: z.string(),
  atMs: z.number(),
  ended: z.boolean().default(false),
});

/** Whose a folder is, of agents that run at once: it says so in a file of its own. */
export class Owner {
  readonly #path: string;
  readonly #token: string;
  readonly #nowMs: () => number;

  /** @param nowMs Unix time */
  constructor(path: string, token: string, nowMs: () => number) {
    this.#path = path;
    this.#token = token;
    this.#nowMs = nowMs;
  }

  /** Undefined where nobody has said so. */
  async read(): Promise<z.output<typeof schema> | undefined> {
    const text = await textOf(this.#path, 4096);
    return schema.safeParse(recordIn(text.trimEnd())).data;
  }

  /** @param ended all that this life has to tell is written */
  async claim(life: number, ended = false): Promise<void> {
    await writeFile(this.#path, lineOf({ life, token: this.#token, atMs: this.#nowMs(), ended }));
  }

  /** By an agent that began later and still writes. */
  async isDisplaced(life: number): Promise<boolean> {
    const owner = await this.read();
    if (!owner || owner.token === this.#token) return false;
    const later = owner.life > life || (owner.life === life && owner.token > this.#token);
    return later && Math.abs(this.#nowMs() - owner.atMs) < goneAfterMs;
  }
}
