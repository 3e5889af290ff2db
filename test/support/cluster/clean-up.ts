import process from 'node:process';

const pending = new Set<() => void>();

/**
 * Runs `work`, which must be synchronous, when this process ends before it has been called off: by itself, or by
 * a signal that one can catch, or by the end of the parent that forked it (vitest's workers outlive a killed vitest
 * otherwise, until the test at hand is over). Returns what calls it off.
 */
export function atExit(work: () => void): () => void {
  if (pending.size === 0) listen();
  pending.add(work);
  return () => {
    pending.delete(work);
    if (pending.size === 0) unlisten();
  };
}

const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

function listen(): void {
  process.once('exit', cleanUp);
  process.once('disconnect', dieWithParent);
  for (const signal of signals) process.once(signal, cleanUpAndDie);
}

function unlisten(): void {
  process.off('exit', cleanUp);
  process.off('disconnect', dieWithParent);
  for (const signal of signals) process.off(signal, cleanUpAndDie);
}

function dieWithParent(): void {
  cleanUpAndDie('SIGTERM');
}

function cleanUp(): void {
  for (const work of pending) work();
  pending.clear();
}

// A signal with a listener no longer ends the process, so it is sent again once ours is gone.
function cleanUpAndDie(signal: NodeJS.Signals): void {
  cleanUp();
  unlisten();
  process.kill(process.pid, signal);
}
