import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

import type { FakeDriver } from './agent-driver.ts';

const root = join(import.meta.dirname, '../..');

interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** `npm run oracle` on a fake driver; without a Python of its own none is asked. */
export function runOracle(
  { library, env }: FakeDriver,
  nvidiaSmi: string,
  python = '/nowhere/python',
): Promise<Ran> {
  const programs = ['--nvidia-smi', nvidiaSmi, '--python', python];
  const args = ['test/oracle/main.ts', '--nvml-library', library, ...programs];
  const { PATH, PYTHONPATH } = process.env;
  return new Promise((resolve) => {
    execFile(
      join(root, 'node_modules/.bin/bun'),
      args,
      { cwd: root, env: { PATH, ...(PYTHONPATH !== undefined && { PYTHONPATH }), ...env } },
      (error, stdout, stderr) => resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr }),
    );
  });
}

/** It answers whatever it is asked with these, as our script would. */
export function writeFakePython({ folder }: FakeDriver, answers: object): string {
  const path = join(folder, 'python');
  const said = JSON.stringify(JSON.stringify(answers));
  writeFileSync(
    path,
    `#!/usr/bin/env node\nprocess.stdin.resume().on('end', () => process.stdout.write(${said}));\n`,
    {
      mode: 0o755,
    },
  );
  return path;
}
