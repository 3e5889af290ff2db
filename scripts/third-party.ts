import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * The licences of the packages that a bundle holds: they ask to be passed on with the code, and minifying drops them.
 *
 * @param modules paths of all modules in the bundle, relative to the root of the checkout
 */
export function thirdPartyLicences(root: string, modules: readonly string[]): string {
  const folders = modules.flatMap((path) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path) ?? []);
  return [...new Set(folders)]
    .sort()
    .map((folder) => {
      const { name, version, license } = JSON.parse(readFileSync(join(root, folder, 'package.json'), 'utf8'));
      return `${name} ${version} (${license})\n\n${licenceIn(join(root, folder)).trim()}\n`;
    })
    .join(`\n${'-'.repeat(80)}\n\n`);
}

function licenceIn(folder: string): string {
  const file = readdirSync(folder).find((name) => /^licen[cs]e(\.\w+)?$/i.test(name));
  return file === undefined
    ? 'It comes without the text of its licence.'
    : readFileSync(join(folder, file), 'utf8');
}
