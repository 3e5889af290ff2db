// Run by Bun: builds `server` or `client` into a folder, with what our own build does to modules.
import { join } from 'node:path';

import { evaluatedAtBuild, withoutAjv } from '../../../scripts/bundling.ts';

const [entry = '', folder = ''] = process.argv.slice(2);
const build = {
  entrypoints: [join(import.meta.dirname, `${entry}.ts`)],
  minify: true,
  plugins: [withoutAjv, evaluatedAtBuild],
};
await (entry === 'server'
  ? Bun.build({ ...build, compile: { outfile: join(folder, 'server') } })
  : Bun.build({ ...build, target: 'node', outdir: folder, naming: '[name].mjs' }));
