import { join } from 'node:path';
import { atExit } from './clean-up.ts';
import { makeFolder, removeFolder } from './folder.ts';
import { launch, type Running, untilReady } from './processes.ts';

/** A folder, and the programs that work in it. When it is closed, or this process ends, none of it is left. */
export interface Workshop {
  readonly folder: string;
  /** Starts a program with its log in the folder. The name is the log's, and that of a program that it replaces. */
  run(name: string, command: string, args: readonly string[]): Running;
  /** Polls until `ready` holds. @throws Error with a log's end where a program exits, or after a minute */
  until(what: string, ready: () => Promise<boolean>): Promise<void>;
  /** What is to be done, in one turn of the event loop, before the programs are killed. */
  beforehand(end: () => void): void;
  /** What is left to do, in one turn of the event loop, when every program has been killed. What is told last is done first. */
  afterwards(clear: () => void): void;
  /** Calling it twice is fine. */
  close(): Promise<void>;
}

export function openWorkshop(): Workshop {
  const folder = makeFolder();
  const running = new Map<string, Running>();
  const first: (() => void)[] = [];
  const last = [() => removeFolder(folder)];
  let closing: Promise<void> | undefined;
  const all = (works: readonly (() => void)[]) => {
    for (const work of works) work();
  };
  const callOff = atExit(() => {
    all(first);
    for (const program of running.values()) program.kill();
    all(last);
  });
  const close = async () => {
    try {
      all(first);
    } finally {
      await Promise.all([...running.values()].map((program) => program.end()));
      all(last);
      callOff();
    }
  };

  return {
    folder,
    run(name, command, args) {
      if (closing) throw new Error(`${name} is not started: the cluster has been stopped`);
      const program = launch(name, command, args, join(folder, `${name}.log`));
      running.set(name, program);
      return program;
    },
    until: (what, ready) => untilReady(what, { programs: [...running.values()], ready, limitMs: 60_000 }),
    beforehand: (work) => void first.push(work),
    afterwards: (work) => void last.unshift(work),
    async close() {
      closing = closing ?? close(); // once: the numbers of processes that have ended are given to others
      await closing;
    },
  };
}

/** What `bringUp` resolves to. Where it fails, nothing stays behind. */
export async function inWorkshop<T>(bringUp: (workshop: Workshop) => Promise<T>): Promise<T> {
  const workshop = openWorkshop();
  try {
    return await bringUp(workshop);
  } catch (cause) {
    await workshop.close();
    throw cause;
  }
}
