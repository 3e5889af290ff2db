import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

interface Locked {
  readonly packages: Readonly<
    Record<string, { readonly resolved?: string; readonly optionalDependencies?: Record<string, string> }>
  >;
}

const { packages } = JSON.parse(
  readFileSync(new URL('../../package-lock.json', import.meta.url), 'utf8'),
) as Locked;
const names = new Set(Object.keys(packages).map((path) => path.split('node_modules/').at(-1)));

// npm leaves out what a registry could not give at that moment; `npm ci` then refuses the lock file on a fresh clone.
test('the binaries of every platform are locked, not only of the machine that wrote the lock file', () => {
  const wanted = Object.values(packages).flatMap((locked) => Object.keys(locked.optionalDependencies ?? {}));

  expect(wanted.filter((name) => !names.has(name))).toEqual([]);
});

test('the lock file carries no download addresses', () => {
  expect(Object.values(packages).filter(({ resolved }) => resolved !== undefined)).toEqual([]);
});
