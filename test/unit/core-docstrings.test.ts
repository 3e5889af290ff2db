import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const folder = join(import.meta.dirname, '../../src/core');
const files = [...readdirSync(folder).filter((name) => name.endsWith('-readings.ts')), 'process.ts'];

test.for(files)('each reading of %s says by which command it can be checked', (file) => {
  const text = readFileSync(join(folder, file), 'utf8');
  const readings = [...text.matchAll(/(?:\/\*\*((?:(?!\*\/)[\s\S])*)\*\/\n)? {2}readonly (\w+): Reading</g)];

  expect(readings.flatMap(([, doc = '', name]) => (doc.includes('Oracle:') ? [] : [name]))).toEqual([]);
});
