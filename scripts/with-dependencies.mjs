// Runs a command of package.json on a fresh clone too: installs the locked dependencies first, where they are not there
// or not those of the lock file. Plain JavaScript without dependencies, for any Node that npm runs on.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';

const root = join(import.meta.dirname ?? new URL('.', import.meta.url).pathname, '..');
const stamp = join(root, 'node_modules', '.installed-lock.json');
const lock = readFileSync(join(root, 'package-lock.json'), 'utf8');

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
if (major < 20 || (major === 20 && minor < 18))
  fail(`Node 20.18.1 or newer is needed; this is ${process.versions.node}`);

if (!existsSync(stamp) || readFileSync(stamp, 'utf8') !== lock) {
  run('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], 'ignore');
  writeFileSync(stamp, lock);
}
for (const command of process.argv.slice(2).join(' ').split(' :: ')) {
  const [program = '', ...args] = command.split(' ');
  run(program, args, 'inherit');
}

function run(program, args, stdout) {
  const env = {
    ...process.env,
    PATH: `${join(root, 'node_modules', '.bin')}${delimiter}${process.env.PATH}`,
  };
  const windows = process.platform === 'win32';
  const { status, error } = spawnSync(program, args, {
    cwd: root,
    env,
    shell: windows,
    stdio: ['inherit', stdout, 'inherit'],
  });
  if (error) fail(`${program}: ${error.message}`);
  if (status !== 0) process.exit(status ?? 1);
}

function fail(message) {
  process.stderr.write(`${message}\n`);
  process.exit(1);
}
