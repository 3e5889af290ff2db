import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { runInNewContext } from 'node:vm';
import { expect, test } from 'vitest';

const launcher = readFileSync(join(import.meta.dirname, '../../src/bridge/launch.js'), 'utf8');

/** Runs the launcher as if this were that Node: what it said, and whether it went on to the program. */
function launchedOn(node: string): { said: string; wentOn: boolean } {
  const seen = { said: '', wentOn: false };
  const source = launcher.replace(/^#!.*\n/, '').replace("import('./main.js')", 'goOn()');
  runInNewContext(source, {
    process: { versions: { node }, execPath: '/nvm/node', exit: () => undefined },
    console: { error: (text: string) => (seen.said += text) },
    goOn: () => (seen.wentOn = true),
  });
  return seen;
}

test.each(['10.24.1', '14.21.3', '18.20.8', '20.9.0', '20.17.0', '20.18.0'])(
  'Node %s is told, by its path, that it is too old',
  (node) => {
    expect(launchedOn(node)).toEqual({
      said: expect.stringContaining(`needs Node 20.18.1 or newer; this is Node ${node} at /nvm/node.`),
      wentOn: false,
    });
  },
);

test.each(['20.18.1', '22.0.0', '24.21.0'])('Node %s goes on to the program', (node) => {
  expect(launchedOn(node)).toEqual({ said: '', wentOn: true });
});
