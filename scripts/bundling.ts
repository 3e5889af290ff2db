// What the bundler does to modules on their way into dist/.
import { join } from 'node:path';

import type { BunPlugin } from 'bun';

/** koffi looks for its addon by a path made at run time, which a compiled program does not have: it is told instead. */
export function embeddedKoffi(addon: string): BunPlugin {
  return {
    name: 'embedded-koffi',
    setup(build) {
      build.onLoad({ filter: /koffi\/src\/koffi\/src\/static\.js$/ }, () => ({
        contents: `import native from ${JSON.stringify(addon)};\nexport function loadStatic() { return native; }\n`,
        loader: 'js',
      }));
    },
  };
}

/** The SDK's other validator, which it has for Cloudflare: we call neither, and ajv is 170 KB that every start parses. */
export const withoutAjv: BunPlugin = {
  name: 'without-ajv',
  setup(build) {
    build.onLoad({ filter: /@modelcontextprotocol\/server\/dist\/shimsNode\.mjs$/ }, () => ({
      contents: `export { CfWorkerJsonSchemaValidator as DefaultJsonSchemaValidator } from './validators/cfWorker.mjs';
        export { default as process } from 'node:process';`,
      loader: 'js',
    }));
  },
};

/** Replaces a module of constants by their values: what they are made from is not loaded to list the tools. */
export const evaluatedAtBuild: BunPlugin = {
  name: 'evaluated-at-build',
  setup(build) {
    build.onLoad({ filter: /src\/(server|bridge)\/listed-tools\.ts$/ }, async ({ path }) => {
      const { listedTools } = await import(path);
      return { contents: `export const listedTools = ${JSON.stringify(listedTools)};`, loader: 'js' };
    });
  },
};

/** Its CommonJS files load each other by a `require` of their own, which a bundler does not see. */
export const jsoncParserAsModules: BunPlugin = {
  name: 'jsonc-parser-as-modules',
  setup(build) {
    const path = join(import.meta.dirname, '../node_modules/jsonc-parser/lib/esm/main.js');
    build.onResolve({ filter: /^jsonc-parser$/ }, () => ({ path }));
  },
};
