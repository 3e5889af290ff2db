import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, expect } from 'vitest';

import type { FakeNvmlConfig } from './fake-config.ts';
import { buildFakeNvml, h100, writeFakeNvml } from './fake-nvml.ts';
import { cString, openRaw, type RawNvml, setenv } from './raw-nvml.ts';

/** nvmlReturn_t. */
export const code = {
  UNINITIALIZED: 1,
  INVALID: 2,
  NOT_SUPPORTED: 3,
  NOT_FOUND: 6,
  TOO_SMALL: 7,
  WRONG_TAG: 25,
} as const;

type Answer<T> = T | { code: number };

/** For each test an initialised fake driver with two GPUs, at 41 and 42 C, in a folder of its own. */
export function rawDriver() {
  const gpus = [h100(0, { temperatureC: 41 }), h100(1, { temperatureC: 42 })];
  let nvml: RawNvml;
  let folder: string;

  const path = (name: string): string => join(folder, name);
  const write = (values: Partial<FakeNvmlConfig>): void => writeFakeNvml(path('config'), { gpus, ...values });
  const call: RawNvml['call'] = (...args) => nvml.call(...args);
  const callAside: RawNvml['callAside'] = (...args) => nvml.callAside(...args);

  beforeAll(() => {
    nvml = openRaw(buildFakeNvml());
  });
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'fake-nvml-test-'));
    setenv('FAKE_NVML_CONFIG', path('config'), 1);
    write({});
    expect(call('nvmlInit_v2')).toBe(0);
  });
  afterEach(() => {
    write({}); // ends every hang, also after a failed test
    call('nvmlShutdown');
    rmSync(folder, { recursive: true });
  });

  return {
    call,
    callAside,
    path,
    write,
    handle: (index: number): bigint => {
      const out = Buffer.alloc(8);
      expect(call('nvmlDeviceGetHandleByIndex_v2', index, out)).toBe(0);
      return out.readBigUInt64LE();
    },
    temperature: (device: bigint | null): Answer<number> => {
      const out = Buffer.alloc(4);
      const result = call('nvmlDeviceGetTemperature', device, 0, out);
      return result === 0 ? out.readUInt32LE() : { code: result };
    },
    text: (symbol: string, device: bigint, length = 96): Answer<string> => {
      const out = Buffer.alloc(96, 0xff);
      const result = call(symbol, device, out, length);
      return result === 0 ? cString(out) : { code: result };
    },
  };
}
