import { chmodSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';

import { h100, readCalls } from '../support/nvml/fake-nvml.ts';
import { code, rawDriver } from '../support/nvml/raw-driver.ts';
import { setenv } from '../support/nvml/raw-nvml.ts';

const driver = rawDriver();

describe('life of the library', () => {
  test('inits are counted, and nothing works before the first or after the last shutdown', () => {
    const device = driver.handle(0);
    expect(driver.call('nvmlInit_v2')).toBe(0);
    expect(driver.call('nvmlShutdown')).toBe(0);
    expect(driver.temperature(device)).toBe(41);

    expect(driver.call('nvmlShutdown')).toBe(0);

    expect(driver.temperature(device)).toEqual({ code: code.UNINITIALIZED });
    expect(driver.call('nvmlInit_v2')).toBe(0);
    expect(driver.temperature(device)).toEqual({ code: code.INVALID });
  });

  test('handles that were never given out are refused', () => {
    expect(driver.temperature(null)).toEqual({ code: code.INVALID });
    expect(driver.temperature(12345n)).toEqual({ code: code.INVALID });
    expect(driver.call('nvmlDeviceGetHandleByIndex_v2', 2, Buffer.alloc(8))).toBe(code.INVALID);
  });

  test('a reloaded driver wants a shutdown, a new init and new handles', () => {
    const device = driver.handle(0);

    driver.write({ generation: 1, driverVersion: '590.48.01' });

    expect(driver.temperature(device)).toEqual({ code: code.UNINITIALIZED });
    expect(driver.call('nvmlInit_v2')).toBe(0);
    expect(driver.temperature(device)).toEqual({ code: code.UNINITIALIZED });
    driver.call('nvmlShutdown');
    driver.call('nvmlShutdown');
    expect(driver.call('nvmlInit_v2')).toBe(0);
    expect([driver.temperature(device), driver.temperature(driver.handle(0))]).toEqual([
      { code: code.INVALID },
      41,
    ]);
  });

  test.each([
    ['no driver', { driver: 'notLoaded' }, 9, code.UNINITIALIZED],
    ['a library that is newer than the driver', { driver: 'mismatch' }, 18, 41],
    ['no GPU', { gpus: [] }, 28, code.INVALID],
  ] as const)('%s fails a new init', (_, values, expected, before) => {
    const device = driver.handle(0);

    driver.write({ nvmlVersion: '13.590.48', ...values });

    expect(driver.call('nvmlInit_v2')).toBe(expected);
    expect(driver.temperature(device)).toEqual(before === 41 ? 41 : { code: before });
    expect(driver.call('nvmlSystemGetNVMLVersion', Buffer.alloc(80), 80)).toBe(0); // asks no driver
  });

  test('no GPU is no failure for an init that says so', () => {
    driver.write({ gpus: [] });

    expect(driver.call('nvmlInitWithFlags', 1)).toBe(0);
    driver.call('nvmlShutdown');
  });

  test('init needs the device node', () => {
    const deviceNode = driver.path('nvidiactl');
    driver.write({ deviceNode });

    expect(driver.call('nvmlInit_v2')).toBe(9);
    writeFileSync(deviceNode, '');
    chmodSync(deviceNode, 0o600);
    expect(driver.call('nvmlInit_v2')).toBe(0);
    driver.call('nvmlShutdown');
  });

  test('a file that is gone is a driver that is gone', () => {
    setenv('FAKE_NVML_CONFIG', driver.path('nowhere'), 1);

    expect(driver.call('nvmlInit_v2')).toBe(9);
  });
});

describe('faults', () => {
  test('a code can be ordered for one function, one GPU, or a whole GPU that is lost', () => {
    const devices = [driver.handle(0), driver.handle(1)];
    const each = () =>
      devices.map((device) => [driver.temperature(device), driver.text('nvmlDeviceGetUUID', device)]);
    const uuids = ['GPU-00000000-0000-4000-8000-000000000000', 'GPU-00000000-0000-4000-8000-000000000001'];

    driver.write({ returns: [{ symbol: 'nvmlDeviceGetTemperature', gpu: 1, code: 16 }] });
    expect(each()).toEqual([
      [41, uuids[0]],
      [{ code: 16 }, uuids[1]],
    ]);

    driver.write({
      returns: [
        { symbol: 'nvmlDeviceGetUUID', code: 0 },
        { gpu: 1, code: 15 },
      ],
    });
    expect(each()).toEqual([
      [41, uuids[0]],
      [{ code: 15 }, uuids[1]],
    ]);
    expect(driver.call('nvmlDeviceGetHandleByIndex_v2', 1, Buffer.alloc(8))).toBe(15);
    expect(driver.call('nvmlInit')).toBe(15); // the oldest init wants every GPU
    expect(driver.call('nvmlInit_v2')).toBe(0);
    driver.call('nvmlShutdown');
  });

  test('a delay lasts as long as it says, and the answer is what is true afterwards', async () => {
    const device = driver.handle(0);
    const out = Buffer.alloc(4);
    driver.write({ delays: [{ symbol: 'nvmlDeviceGetTemperature', gpu: 0, ms: 200 }] });
    const started = performance.now();

    const slow = driver.callAside('nvmlDeviceGetTemperature', device, 0, out);
    await sleep(50);
    driver.write({ gpus: [h100(0, { temperatureC: 60 })] });

    expect(await slow).toBe(0);
    expect(out.readUInt32LE()).toBe(60);
    expect(performance.now() - started).toBeGreaterThanOrEqual(199);
  });

  test('a GPU that hangs holds up no other GPU, and answers when the file lets it', async () => {
    const devices = [driver.handle(0), driver.handle(1)] as const;
    const outs = [Buffer.alloc(4), Buffer.alloc(4)] as const;
    const ask = (gpu: 0 | 1) =>
      driver
        .callAside('nvmlDeviceGetTemperature', devices[gpu], 0, outs[gpu])
        .then(() => outs[gpu].readUInt32LE());
    driver.write({ hangs: [{ gpu: 0 }] });

    const hung = ask(0);
    await sleep(50);
    const first = await Promise.race([hung, ask(1), sleep(1000, 'both hang')]);
    const still = await Promise.race([hung, sleep(100, 'hangs')]);
    driver.write({});

    expect([first, still, await hung]).toEqual([42, 'hangs', 41]);
  });

  test('a driver that hangs as a whole hangs every call, init too', async () => {
    const ended: string[] = [];
    driver.write({ hangs: [{}] });

    const calls = ['nvmlInit_v2', 'nvmlShutdown'].map((symbol) =>
      driver.callAside(symbol).then(() => ended.push(symbol)),
    );
    const count = driver.callAside('nvmlDeviceGetCount_v2', Buffer.alloc(4)).then(() => ended.push('count'));
    await sleep(100);

    expect(ended).toEqual([]);
    driver.write({});
    await Promise.all([...calls, count]);
  });

  test('a driver reloaded during a hang ends the call as uninitialised', async () => {
    const device = driver.handle(0);
    driver.write({ hangs: [{ gpu: 0 }] });

    const hung = driver.callAside('nvmlDeviceGetTemperature', device, 0, Buffer.alloc(4));
    await sleep(50);
    driver.write({ generation: 1 });

    expect(await hung).toBe(code.UNINITIALIZED);
  });
});

test('every call is recorded with its process and GPU, failed ones too', () => {
  const countCalls = driver.path('calls');
  driver.write({ countCalls });
  const device = driver.handle(1);
  driver.temperature(device);
  driver.call('nvmlDeviceGetCount_v2', null);

  expect(readCalls(countCalls)).toEqual([
    { pid: process.pid, symbol: 'nvmlDeviceGetHandleByIndex_v2', gpu: 1 },
    { pid: process.pid, symbol: 'nvmlDeviceGetTemperature', gpu: 1 },
    { pid: process.pid, symbol: 'nvmlDeviceGetCount_v2', gpu: null },
  ]);
});
