import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';

const root = join(import.meta.dirname, '../..');

/**
 * Puts the sources of this moment into a folder, as a clone has them: nothing is built. Only the dependencies are
 * there already, with the mark by which scripts/with-dependencies.mjs knows that; without it, it would install them
 * again, through the links.
 */
export function freshClone(folder: string): void {
  const listed = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
    cwd: root,
    encoding: 'utf8',
  });
  for (const file of listed.split('\0').filter((name) => name !== '' && existsSync(join(root, name))))
    cpSync(join(root, file), join(folder, file), { verbatimSymlinks: true });
  const modules = join(folder, 'node_modules');
  mkdirSync(modules);
  for (const name of readdirSync(join(root, 'node_modules')).filter(
    (entry) => entry !== '.installed-lock.json',
  ))
    symlinkSync(join(root, 'node_modules', name), join(modules, name));
  cpSync(join(root, 'package-lock.json'), join(modules, '.installed-lock.json'));
}
