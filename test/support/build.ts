import { execFileSync } from 'node:child_process';
import { join } from 'node:path';

const root = join(import.meta.dirname, '../..');

/** The built programs, as users get them. Tests run these wherever a process is what is tested. */
export const bridgeEntry = join(root, 'dist/bridge.js');
export const agentBinary = join(root, 'dist/agent-linux-x64');

/** vitest's globalSetup: builds what the tests of processes run, from the sources of this moment. */
export function setup(): void {
  execFileSync(join(root, 'node_modules/.bin/bun'), [join(root, 'scripts/build.ts')], { stdio: 'inherit' });
}
