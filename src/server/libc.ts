import koffi from 'koffi';

const WNOHANG = 1;

/**
 * Reaps children that have ended. As process 1 of a container we inherit those whose parents died, and must take their
 * exit status or they stay as zombies.
 *
 * @returns how many were reaped. Source: waitpid(2)
 */
export function childReaper(): () => number {
  const waitpid = koffi.load('libc.so.6').func('int waitpid(int pid, _Out_ int *status, int options)');
  return () => {
    let reaped = 0;
    while (waitpid(-1, [0], WNOHANG) > 0) reaped++;
    return reaped;
  };
}
