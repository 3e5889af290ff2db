import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'vitest';

import type { FakeNvmlConfig } from './nvml/fake-config.ts';
import { buildFakeNvml, h100, readCalls, writeFakeNvml } from './nvml/fake-nvml.ts';

export interface FakeDriver {
  readonly folder: string;
  readonly library: string;
  /** What an agent needs to be given to use it. */
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Changes what the driver says from now on: the values given, the healthy default for the others. */
  write(values: Partial<FakeNvmlConfig>): void;
  /** How often each function was called so far. */
  calls(): Readonly<Record<string, number>>;
}

/** A C fake of a driver with two healthy H100, in a folder of its own; it counts its calls. */
export function fakeDriver(
  test: TestContext,
  values: Partial<FakeNvmlConfig> = {},
  { without = [], libraryFile }: { without?: readonly string[]; libraryFile?: string } = {},
): FakeDriver {
  const folder = mkdtempSync(join(tmpdir(), 'k8s-gpu-mcp-driver-'));
  const config = join(folder, 'config');
  const countCalls = join(folder, 'calls');
  const library = libraryFile === undefined ? buildFakeNvml({ without }) : join(folder, libraryFile);
  const write = (next: Partial<FakeNvmlConfig>): void =>
    writeFakeNvml(config, {
      driverVersion: '580.126.20',
      cudaVersion: 13_000,
      gpus: [h100(0), h100(1)],
      countCalls,
      ...next,
    });
  write(values);
  test.onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return {
    folder,
    library,
    args: ['--nvml-library', library, '--sample-interval', '50ms'],
    env: { FAKE_NVML_CONFIG: config },
    write,
    calls: () => countBy(readCalls(countCalls).map(({ symbol }) => symbol)),
  };
}

function countBy(names: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const name of names) counts[name] = (counts[name] ?? 0) + 1;
  return counts;
}
