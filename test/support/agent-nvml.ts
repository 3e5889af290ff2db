import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';

import { type NvmlDriver, nvmlDriver } from '../../src/server/nvml/nvml-driver.ts';
import type { FakeGpu, FakeNvmlConfig } from './nvml/fake-config.ts';
import { buildFakeNvml, h100, writeFakeNvml } from './nvml/fake-nvml.ts';
import { setenv } from './nvml/raw-nvml.ts';

/** The agent's own NVML code in this process, opened on a C fake of one GPU; closed when the test ends. */
export function openedNvml(
  gpu: Partial<FakeGpu> = {},
  { without = [], ...values }: Partial<FakeNvmlConfig> & { without?: readonly string[] } = {},
) {
  const folder = mkdtempSync(join(tmpdir(), 'k8s-gpu-mcp-nvml-'));
  const config = join(folder, 'config');
  const write = (next: Partial<FakeNvmlConfig>): void =>
    writeFakeNvml(config, {
      driverVersion: '580.126.20',
      cudaVersion: 12_080,
      gpus: [h100(0, gpu)],
      ...next,
    });
  let returned = 0;
  const driver: NvmlDriver = nvmlDriver(buildFakeNvml({ without }), {
    before: () => undefined,
    after() {
      returned += 1;
    },
  });
  setenv('FAKE_NVML_CONFIG', config, 1);
  write(values);
  onTestFinished(() => {
    write({});
    driver.close();
    rmSync(folder, { recursive: true });
  });
  const info = driver.open();
  return { driver, info, write, callsReturned: () => returned };
}
