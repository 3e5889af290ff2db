import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';

import { buildFakeNvml, h100 } from '../support/nvml/fake-nvml.ts';
import { layoutAsserts } from '../support/nvml/layout.ts';
import { code, rawDriver } from '../support/nvml/raw-driver.ts';
import { openRaw, struct } from '../support/nvml/raw-nvml.ts';

const memoryTag = 0x02000028;
const temperatureTag = 0x0100000c;

const driver = rawDriver();

describe('build', () => {
  test('a struct or a constant that disagrees with nvml-layout.json does not compile', () => {
    const header = readFileSync('test/support/nvml/nvml-abi.h', 'utf8');
    const compile = (text: string) => () =>
      execFileSync('cc', ['-fsyntax-only', '-x', 'c', '-'], {
        input: `#include <stddef.h>\n${text}${layoutAsserts(header)}`,
        stdio: 'pipe',
      });

    expect(compile(header)).not.toThrow();
    expect(compile(header.replace('reserved, free', 'free, reserved'))).toThrow(
      /nvmlMemory_v2_t, free\) is 24/,
    );
    expect(compile(header.replace('NOT_FOUND = 6', 'NOT_FOUND = 5'))).toThrow(/NVML_ERROR_NOT_FOUND is 6/);
    expect(() => layoutAsserts('} nvmlNoSuch_t;')).toThrow('no layout of nvmlNoSuch_t');
  });

  test('a function left out is missing, and all others are there', () => {
    const older = openRaw(buildFakeNvml({ without: ['nvmlDeviceGetTemperatureV'] }));

    expect(() => older.call('nvmlDeviceGetTemperatureV', null, null)).toThrow(/nvmlDeviceGetTemperatureV/);
    expect(older.call('nvmlDeviceGetTemperature', null, 0, null)).toBe(code.UNINITIALIZED);
  });

  test('a name that the fake never had is refused', () => {
    expect(() => buildFakeNvml({ without: ['nvmlDeviceGetTemprature'] })).toThrow('nvmlDeviceGetTemprature');
    expect(() => driver.write({ hangs: [{ symbol: 'nvmlNoSuch' }] })).toThrow('nvmlNoSuch');
  });
});

describe('readings', () => {
  test('each GPU has its own values, and one that is not set is not supported', () => {
    driver.write({ gpus: [h100(0, { temperatureC: 41 }), h100(1, { temperatureC: 42, serial: null })] });

    expect([driver.temperature(driver.handle(0)), driver.temperature(driver.handle(1))]).toEqual([41, 42]);
    expect(driver.text('nvmlDeviceGetSerial', driver.handle(0))).toBe('1650000000000');
    expect(driver.text('nvmlDeviceGetSerial', driver.handle(1))).toEqual({ code: code.NOT_SUPPORTED });
  });

  test('a rewritten file is read at the next call', () => {
    const device = driver.handle(0);
    expect(driver.temperature(device)).toBe(41);

    driver.write({ gpus: [h100(0, { temperatureC: 87 })] });

    expect(driver.temperature(device)).toBe(87);
  });

  test('a text must fit with its terminator', () => {
    driver.write({ gpus: [h100(0, { name: 'N'.repeat(95) })] });

    expect(driver.text('nvmlDeviceGetName', driver.handle(0), 95)).toEqual({ code: code.TOO_SMALL });
    expect(driver.text('nvmlDeviceGetName', driver.handle(0), 96)).toBe('N'.repeat(95));
  });

  test('a GPU is found by UUID and by PCI address', () => {
    const out = Buffer.alloc(8);

    expect(driver.call('nvmlDeviceGetHandleByUUID', 'GPU-00000000-0000-4000-8000-000000000001', out)).toBe(0);
    expect(out.readBigUInt64LE()).toBe(driver.handle(1));
    expect(driver.call('nvmlDeviceGetHandleByPciBusId_v2', '00000000:2B:00.0', out)).toBe(0);
    expect(out.readBigUInt64LE()).toBe(driver.handle(1));
    expect(driver.call('nvmlDeviceGetHandleByUUID', 'GPU-0', out)).toBe(code.NOT_FOUND);
    expect(driver.call('nvmlDeviceGetHandleByPciBusId_v2', '0000:99:00.0', out)).toBe(code.NOT_FOUND);
    expect(driver.call('nvmlDeviceGetHandleByPciBusId_v2', 'nonsense', out)).toBe(code.INVALID);
  });

  test('PCI addresses have eight digits of domain, the legacy form four', () => {
    const pci = struct('nvmlPciInfo_t');

    expect(driver.call('nvmlDeviceGetPciInfo_v3', driver.handle(0), pci.buffer)).toBe(0);

    expect([pci.text('busId'), pci.text('busIdLegacy')]).toEqual(['00000000:1B:00.0', '0000:1B:00.0']);
    expect(pci.number('pciDeviceId')).toBe(0x233010de);
  });

  test('typed readings answer by type, and an unknown type is an invalid argument', () => {
    const out = Buffer.alloc(8);
    driver.write({ gpus: [h100(0, { eccErrors: { uncorrectedAggregate: 2n ** 53n + 1n } })] });
    const device = driver.handle(0);

    expect(driver.call('nvmlDeviceGetTotalEccErrors', device, 1, 1, out)).toBe(0);
    expect(out.readBigUInt64LE()).toBe(2n ** 53n + 1n);
    expect(driver.call('nvmlDeviceGetTotalEccErrors', device, 0, 0, out)).toBe(code.NOT_SUPPORTED);
    expect(driver.call('nvmlDeviceGetMaxClockInfo', device, 1, out)).toBe(0);
    expect(out.readUInt32LE()).toBe(1980);
    expect(driver.call('nvmlDeviceGetClockInfo', device, 4, out)).toBe(code.INVALID);
  });

  test('a field answers in its type; its other bytes are garbage and an unknown field fails alone', () => {
    driver.write({
      gpus: [
        h100(0, {
          fields: [
            { id: 230, type: 'u32', value: 2 },
            { id: 194, type: 'i32', value: -2 },
            { id: 164, scope: 3, type: 'u64', value: 7 },
            { id: 82, code: 15 },
          ],
        }),
      ],
    });
    const fields = struct('nvmlFieldValue_t', 6);
    const asked = [[230], [194], [164, 3], [164, 4], [82], [9999]] as const;
    for (const [row, [id, scope = 0]] of asked.entries()) {
      fields.set('fieldId', id, row);
      fields.set('scopeId', scope, row);
    }

    expect(driver.call('nvmlDeviceGetFieldValues', driver.handle(0), asked.length, fields.buffer)).toBe(0);

    expect(asked.map((_, row) => fields.number('nvmlReturn', row))).toEqual([0, 0, 0, 3, 15, 3]);
    expect([0, 1, 2].map((row) => fields.number('valueType', row))).toEqual([1, 5, 3]);
    expect(fields.bytes('value', 0).readUInt32LE()).toBe(2);
    expect(fields.bytes('value', 0).readUInt32LE(4)).not.toBe(0);
    expect(fields.bytes('value', 1).readInt32LE()).toBe(-2);
    expect(fields.number('value', 2)).toBe(7);
  });
});

describe('the ABI of names and tags', () => {
  test('a tagged struct is filled only under its own tag', () => {
    const memory = struct('nvmlMemory_v2_t');
    const temperatureV = struct('nvmlTemperature_v1_t');
    const device = driver.handle(1);
    const ask = () => [
      driver.call('nvmlDeviceGetMemoryInfo_v2', device, memory.buffer),
      driver.call('nvmlDeviceGetTemperatureV', device, temperatureV.buffer),
    ];

    expect(ask()).toEqual([code.WRONG_TAG, code.WRONG_TAG]);
    memory.set('version', memoryTag);
    temperatureV.set('version', temperatureTag);
    expect(ask()).toEqual([0, 0]);

    expect([memory.number('reserved'), memory.number('used')]).toEqual([551 * 2 ** 20, 0]);
    expect(memory.number('free')).toBe((81559 - 551) * 2 ** 20);
    expect(temperatureV.number('temperature')).toBe(42);
  });

  test('the unversioned names have the oldest ABI: bound by mistake they give wrong data', () => {
    const process = { pid: 4242, usedBytes: 2 ** 30, gpuInstance: 1, computeInstance: 2 };
    driver.write({ gpus: [h100(0, { processes: [process] })] });
    const device = driver.handle(0);
    const list = struct('nvmlProcessInfo_t');
    const pci = struct('nvmlPciInfo_t');
    const memory = struct('nvmlMemory_v2_t');
    const one = Buffer.from([1, 0, 0, 0]);

    expect(driver.call('nvmlDeviceGetComputeRunningProcesses', device, one, list.buffer)).toBe(0);
    expect(driver.call('nvmlDeviceGetPciInfo', device, pci.buffer)).toBe(0);
    expect(driver.call('nvmlDeviceGetMemoryInfo', device, memory.buffer)).toBe(0);

    expect([list.number('pid'), list.number('gpuInstanceId')]).toEqual([4242, 0]);
    expect([pci.text('busIdLegacy'), pci.text('busId')]).toEqual(['0000:1B:00.0', '']);
    expect(memory.buffer.readBigUInt64LE(0)).toBe(81559n * 2n ** 20n);
    expect(memory.buffer.readBigUInt64LE(24)).toBe(0n);
  });
});

describe('processes', () => {
  const processes = [
    { pid: 100, usedBytes: 1 },
    { pid: 200, usedBytes: null, gpuInstance: 3, computeInstance: 4 },
  ];
  const count = (value: number) => {
    const buffer = Buffer.alloc(4);
    buffer.writeUInt32LE(value);
    return buffer;
  };

  test('the first call asks for the size, the second fills', () => {
    driver.write({ gpus: [h100(0, { processes }), h100(1)] });
    const ask = 'nvmlDeviceGetComputeRunningProcesses_v3';
    const [none, few, enough] = [count(0), count(1), count(9)];
    const list = struct('nvmlProcessInfo_t', 9);

    expect(driver.call(ask, driver.handle(1), none, null)).toBe(0);
    expect(driver.call(ask, driver.handle(0), none, null)).toBe(code.TOO_SMALL);
    expect(driver.call(ask, driver.handle(0), few, list.buffer)).toBe(code.TOO_SMALL);
    expect(driver.call(ask, driver.handle(0), enough, list.buffer)).toBe(0);

    expect([none, few, enough].map((buffer) => buffer.readUInt32LE())).toEqual([2, 2, 2]);
    expect([0, 1].map((row) => list.number('pid', row))).toEqual([100, 200]);
    expect(list.number('gpuInstanceId', 0)).toBe(0xffffffff);
    expect(list.number('computeInstanceId', 1)).toBe(4);
    expect(list.bytes('usedGpuMemory', 1).readBigUInt64LE()).toBe(2n ** 64n - 1n);
  });

  test('some R535 builds write 32 bytes a record in _v3, and only there', () => {
    driver.write({ gpus: [h100(0, { processes })], processRecordBytes: 32 });
    const wide = struct('nvmlProcessDetail_v1_t', 2);
    const narrow = struct('nvmlProcessInfo_t', 2);

    expect(
      driver.call('nvmlDeviceGetComputeRunningProcesses_v3', driver.handle(0), count(2), wide.buffer),
    ).toBe(0);
    expect(
      driver.call('nvmlDeviceGetComputeRunningProcesses_v2', driver.handle(0), count(2), narrow.buffer),
    ).toBe(0);

    expect([wide.number('pid', 1), narrow.number('pid', 1)]).toEqual([200, 200]);
  });
});
