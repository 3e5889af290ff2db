import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { type Plugin, runPlugin } from '../../src/bridge/cluster/credential-plugin.ts';
import { findProgram, programFolders } from '../../src/bridge/cluster/programs.ts';

const home = mkdtempSync(join(tmpdir(), 'plugins-'));
afterAll(() => rmSync(home, { recursive: true }));
const machine = { env: { PATH: '/nowhere', MARK: 'yes' }, homeDir: home, platform: 'linux' } as const;

/** A plugin that is a Node script; found in ~/bin only. */
function install(name: string, script: string): string {
  const path = join(home, 'bin', name);
  mkdirSync(join(home, 'bin'), { recursive: true });
  writeFileSync(path, `#!${process.execPath}\n${script}`);
  chmodSync(path, 0o755);
  return name;
}

function run(plugin: Plugin, signal = AbortSignal.timeout(20_000)) {
  return runPlugin(plugin, { machine, cluster: { server: 'https://x' }, signal });
}

const print = (value: string) => `console.log(JSON.stringify({ kind: 'ExecCredential', status: ${value} }))`;

const failing = (message: RegExp) =>
  expect.objectContaining({ code: 'CREDENTIAL_PLUGIN_FAILED', message: expect.stringMatching(message) });

test('a plugin that is not on a bare PATH is found in the usual folders, and is told what kubectl would tell it', async () => {
  const command = install(
    'tells',
    print(
      '{ token: [process.argv[2], process.env.OWN, process.env.MARK, process.env.KUBERNETES_EXEC_INFO].join(" ") }',
    ),
  );

  const { token } = await run({
    command,
    args: ['arg'],
    env: [{ name: 'OWN', value: 'own' }],
    apiVersion: 'client.authentication.k8s.io/v1beta1',
    provideClusterInfo: true,
  });

  expect(token).toBe(
    'arg own yes {"apiVersion":"client.authentication.k8s.io/v1beta1","kind":"ExecCredential","spec":{"interactive":false,"cluster":{"server":"https://x"}}}',
  );
});

test('a plugin finds its own helpers in the usual folders too', async () => {
  const command = install('path', print('{ token: process.env.PATH }'));

  expect((await run({ command })).token?.split(delimiter)).toEqual(
    expect.arrayContaining(['/nowhere', '/snap/bin', join(home, 'bin'), join(home, '.krew', 'bin')]),
  );
});

test('a plugin that is nowhere: the name, the folders and the kubeconfig’s own hint are named', async () => {
  await expect(run({ command: 'gone', installHint: 'get it\u001b[1m' })).rejects.toEqual(
    failing(
      /by gone failed: there is no such program; looked in the folders \/nowhere, .*\/snap\/bin.*says: get it \[1m/,
    ),
  );
});

test('a plugin that fails: the last line of its stderr', async () => {
  const command = install('fails', 'console.error("first\\nexpired\\u001b[0m\\n"); process.exit(3)');

  await expect(run({ command })).rejects.toEqual(failing(/exit code 3: expired \[0m$/));
});

test('advice that follows the error is told with it', async () => {
  const command = install(
    'advises',
    'console.error("I1122 cred.go\\nERROR: no account\\nPlease run:\\n\\n  gcloud auth login\\n)"); process.exit(1)',
  );

  await expect(run({ command })).rejects.toEqual(
    failing(/exit code 1: ERROR: no account Please run: gcloud auth login \)$/),
  );
});

test('what a plugin prints is never quoted', async () => {
  const rubbish = install('rubbish', 'console.log("hunter2")');
  const empty = install('empty', print('{ user: "hunter2" }'));

  await expect(run({ command: rubbish })).rejects.toEqual(
    failing(/it printed no ExecCredential \(8 characters\)$/),
  );
  await expect(run({ command: empty })).rejects.toEqual(
    failing(/neither a token nor a certificate with its key$/),
  );
});

test('a plugin that asks on a terminal is refused before it hangs', async () => {
  const command = install('asks', print('{ token: "t" }'));

  await expect(run({ command, interactiveMode: 'Always' })).rejects.toEqual(failing(/needs a terminal/));
});

test('a plugin that reads its stdin meets its end', async () => {
  const command = install('reads', `process.stdin.on('end', () => ${print('{ token: "t" }')}).resume()`);

  expect(await run({ command })).toEqual({ token: 't' });
});

test('a plugin that hangs is ended with the signal, its pipes with it', async () => {
  const command = install('hangs', 'process.on("SIGTERM", () => {}); setInterval(() => {}, 1000)');

  await expect(run({ command }, AbortSignal.timeout(300))).rejects.toEqual(
    failing(/did not answer in time and was ended$/),
  );
  const left = new Error('left');
  await expect(run({ command }, AbortSignal.abort(left))).rejects.toBe(left);
});

test('Windows: PATH by any case, suffixes, and folders from the environment', () => {
  const env = { Path: 'C:\\tools;C:\\more', ProgramFiles: 'C:\\Program Files', PATHEXT: '.EXE;.CMD' };
  const folders = programFolders({ env, homeDir: 'C:\\Users\\me', platform: 'win32' });

  expect(folders).toEqual(
    expect.arrayContaining([
      'C:\\tools',
      'C:\\more',
      'C:\\Program Files\\Amazon\\AWSCLIV2',
      'C:\\Users\\me\\.krew\\bin',
    ]),
  );
  expect(folders.filter((folder) => !folder.startsWith('C:\\'))).toEqual([]);
});

test('a path is taken as it is', () => {
  install('here', '');

  expect(findProgram(join(home, 'bin', 'here'), machine)).toBe(join(home, 'bin', 'here'));
  expect(findProgram('/nowhere/here', machine)).toBeNull();
});
