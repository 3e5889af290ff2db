import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';

const root = join(import.meta.dirname, '../..');

const forbidden = [
  ['src/core', 'node:fs'],
  ['src/core', '../tools/index.ts'],
  ['src/diagnose', '../tools/index.ts'],
  ['src/tools', 'undici'],
  ['src/tools', '../server/agent.ts'],
  ['src/simulate', 'node:fs'],
  ['src/mcp', '../server/agent.ts'],
  ['src/server', '../bridge/bridge.ts'],
  ['src/server', 'koffi'],
  ['src/server', 'node:process'],
  ['src/server/nvml', '../agent.ts'],
  ['src/bridge', '../server/agent.ts'],
  ['src/bridge', '@kubernetes/client-node/dist/config.js'],
  ['src/bridge', 'koffi'],
  ['src/bridge/fleet', '../cluster/cluster.ts'],
  ['src/bridge/cluster', '../config.ts'],
  ['src/bridge/install', '../main.ts'],
  ['src/bridge/install', '../cluster/programs.ts'],
  ['src/demo', '../server/nvml/lane.ts'],
  ['src/demo', '../server/libc.ts'],
  ['src', 'koffi'],
] as const;
const allowed = [
  ['src/server/nvml', 'koffi'],
  ['src/bridge/cluster', '@kubernetes/client-node'],
  ['src/bridge/install', '../config.ts'],
  ['src/tools', '../core/fault.ts'],
  ['src/demo', '../server/agent.ts'],
] as const;
const plants = [...forbidden, ...allowed].map(([folder, imported], at) => ({
  file: `${folder}/planted-${at}.ts`,
  imported,
}));

let house: string;
let refused: ReadonlySet<string>;

/** A house with our lint rules and nothing in it but what was planted. */
beforeAll(() => {
  house = mkdtempSync(join(tmpdir(), 'layers-'));
  copyFileSync(join(root, 'biome.json'), join(house, 'biome.json'));
  for (const { file, imported } of plants) {
    mkdirSync(join(house, dirname(file)), { recursive: true });
    writeFileSync(join(house, file), `import { x } from '${imported}';\n\nexport const y = x;\n`);
  }
  const biome = join(root, 'node_modules/.bin/biome');
  const only = '--only=style/noRestrictedImports';
  const { stdout } = spawnSync(biome, ['lint', only, '--reporter=github', '--max-diagnostics=none', '.'], {
    cwd: house,
    encoding: 'utf8',
  });
  refused = new Set(
    [...stdout.matchAll(/file=([^,]+)/g)].map(([, file = '']) => file.replace(/^.*?(?=src\/)/, '')),
  );
});

afterAll(() => rmSync(house, { recursive: true, force: true }));

test.for(plants.slice(0, forbidden.length))('$file may not import $imported', ({ file }) => {
  expect([...refused]).toContain(file);
});

test.for(plants.slice(forbidden.length))('control: $file may import $imported', ({ file }) => {
  expect([...refused]).not.toContain(file);
});
