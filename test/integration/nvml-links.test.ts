import { expect, test } from 'vitest';

import { orNull } from '../../src/core/reading.ts';
import { openedNvml } from '../support/agent-nvml.ts';
import type { FakeField, FakeGpu, FakeNvmlConfig } from '../support/nvml/fake-config.ts';
import { h100 } from '../support/nvml/fake-nvml.ts';

const linkNumbers = (count: number) => Array.from({ length: count }, (_, link) => link);
const toSwitch = (link: number) => ({
  link,
  active: 1,
  remoteType: 2,
  remotePci: { domain: 0x10001, bus: 0xc1 + (link % 4), device: 0 },
});
const ofLink = (link: number, id: number, value: number): FakeField => ({
  id,
  scope: link,
  type: 'u64',
  value,
});

function links(gpu: Partial<FakeGpu>, config?: Partial<FakeNvmlConfig> & { without?: readonly string[] }) {
  const { nvlinks } = openedNvml({ nvlinks: null, fields: [], ...gpu }, config).driver.read(0);
  return orNull(nvlinks) ?? nvlinks;
}

test.for([18, 36])('a board with %i links tells of each one whither it leads', (count) => {
  const read = links({
    nvlinks: linkNumbers(count).map(toSwitch),
    fields: [
      { id: 91, type: 'u32', value: count },
      ...linkNumbers(count).flatMap((link) => [ofLink(link, 164, 26_562), ofLink(link, 166, 4)]),
    ],
  });

  expect(read).toHaveLength(count);
  expect(read).toContainEqual({
    link: count - 1,
    active: true,
    version: 4,
    speedMegabytesPerSecond: 26_562,
    remoteType: 'switch',
    remotePciAddress: `10001:c${1 + ((count - 1) % 4)}:00.0`,
    errors: {},
    missing: { errors: 'notSupported' },
  });
});

test('of a link that is down nobody asks whither it leads', () => {
  const read = links({
    nvlinks: [toSwitch(0), { ...toSwitch(1), active: 0 }],
    fields: [{ id: 91, type: 'u32', value: 2 }],
  });

  expect(read).toMatchObject([
    { active: true, remoteType: 'switch' },
    { active: false, remoteType: null, remotePciAddress: null },
  ]);
});

test('where the driver does not count the links they are tried in turn', () => {
  expect(links({ nvlinks: linkNumbers(6).map(toSwitch) })).toHaveLength(6);
});

test('a board without NVLink has none, which is not the same as links that are down', () => {
  expect(links({})).toEqual({ missing: 'notSupported' });
  expect(links({}, { without: ['nvmlDeviceGetNvLinkState'] })).toEqual({ missing: 'notSupportedByDriver' });
  expect(links({ fields: [{ id: 91, type: 'u32', value: 0 }] })).toEqual({ missing: 'notSupported' });
});

test('a link of which the driver does not tell the state hides no other', () => {
  const read = links({
    nvlinks: [toSwitch(0), toSwitch(2)],
    fields: [{ id: 91, type: 'u32', value: 3 }],
  });

  expect(read).toMatchObject([
    { active: true },
    { link: 1, active: null, remoteType: null },
    { active: true },
  ]);
});

test('the errors of each link are its own', () => {
  const read = links({
    nvlinks: [toSwitch(0), toSwitch(1)],
    fields: [{ id: 91, type: 'u32', value: 2 }, ofLink(0, 161, 5), ofLink(1, 161, 7), ofLink(1, 162, 1)],
  });

  expect(read).toMatchObject([{ errors: { replays: 5 } }, { errors: { replays: 7, recoveries: 1 } }]);
});

test('what the driver refuses to tell of a link has its reason; what a link that is down does not tell has none', () => {
  const refused = [161, 162, 163, 164, 166].map((id) => ({ id, scope: 0, code: 4 }));
  const read = links({
    nvlinks: [toSwitch(0), { ...toSwitch(1), active: 0 }],
    fields: [{ id: 91, type: 'u32', value: 2 }, ...refused],
  });

  expect(read).toMatchObject([
    {
      errors: {},
      missing: {
        version: 'noPermission',
        speedMegabytesPerSecond: 'noPermission',
        errors: 'noPermission',
      },
    },
    { active: false, missing: {} },
  ]);
});

test('the errors of older links come by calls of their own', () => {
  const read = links({ nvlinks: [{ ...toSwitch(0), errors: [3, 0, 11, 12, 13] }] });

  expect(read).toMatchObject([
    { errors: { replays: 3, recoveries: 0, crcFlit: 11, crcData: 12, eccData: 13 } },
  ]);
});

// nvml.h, NVML_NVLINK_BER_MANTISSA_SHIFT: the mantissa above, the exponent of ten in the lowest 8 bits.
test('a bit error rate is decoded', () => {
  const read = links({ nvlinks: [toSwitch(0)], fields: [ofLink(0, 220, (3 << 8) | 12), ofLink(0, 222, 0)] });
  const [link] = Array.isArray(read) ? read : [];

  expect(link.errors.effectiveBer).toBeCloseTo(3e-12, 20);
  expect(link.errors.symbolBer).toBe(0);
});

test('of each other GPU a GPU tells how near it is, and what it can do with its memory', () => {
  const path = (index: number, ancestor: number, p2p: (number | null)[]) => ({ index, ancestor, p2p });
  const { driver, write } = openedNvml();
  write({
    gpus: [
      h100(0, { peers: [path(1, 40, [0, 0, 0, 0, 5]), path(2, 50, [1, 9, 2, null, 5])] }),
      h100(1),
      h100(2),
    ],
  });

  expect(driver.inquire('peers', 0)).toEqual({
    value: [
      {
        index: 1,
        commonAncestor: { value: 'NODE' },
        p2p: {
          read: { value: 'ok' },
          write: { value: 'ok' },
          nvlink: { value: 'ok' },
          atomics: { value: 'ok' },
          pci: { value: 'notSupported' },
        },
      },
      {
        index: 2,
        commonAncestor: { value: 'SYS' },
        p2p: {
          read: { value: 'chipsetNotSupported' },
          write: { value: 'unknown9' },
          nvlink: { value: 'gpuNotSupported' },
          atomics: { missing: 'notSupported' },
          pci: { value: 'notSupported' },
        },
      },
    ],
  });
});

test('a driver without these calls tells nothing about other GPUs, and says so', () => {
  const without = ['nvmlDeviceGetTopologyCommonAncestor', 'nvmlDeviceGetP2PStatus'];
  const { driver, write } = openedNvml({}, { without });
  write({ gpus: [h100(0), h100(1)] });

  expect(driver.inquire('peers', 0)).toMatchObject({
    value: [
      {
        commonAncestor: { missing: 'notSupportedByDriver' },
        p2p: { read: { missing: 'notSupportedByDriver' } },
      },
    ],
  });
});

test('NVLink 5 counts bytes link by link, and they are added up; a link that counts none adds none', () => {
  const { driver } = openedNvml({
    fields: [
      { id: 91, type: 'u32', value: 3 },
      ...[0, 1].flatMap((link) => [ofLink(link, 202, 5_000_000_001), ofLink(link, 204, 7_000 + link)]),
    ],
  });

  const { nvlinkTxBytes, nvlinkRxBytes } = driver.read(0);
  expect({ nvlinkTxBytes, nvlinkRxBytes }).toEqual({
    nvlinkTxBytes: { value: 10_000_000_002 },
    nvlinkRxBytes: { value: 14_001 },
  });
});

test('a sum of which one link could not be read is none', () => {
  const { driver } = openedNvml({
    fields: [
      { id: 91, type: 'u32', value: 2 },
      ofLink(0, 202, 5_000),
      { id: 202, scope: 1, code: 999 },
      ofLink(0, 204, 6_000),
    ],
  });

  const { nvlinkTxBytes, nvlinkRxBytes } = driver.read(0);
  expect({ nvlinkTxBytes, nvlinkRxBytes }).toEqual({
    nvlinkTxBytes: { missing: 'nvmlReturn999' },
    nvlinkRxBytes: { value: 6_000 },
  });
});

test('bytes that only links count are not called unsupported because the links could not be counted once', () => {
  const counters = [0, 1].flatMap((link) => [ofLink(link, 202, 111), ofLink(link, 204, 222)]);
  const board = { nvlinks: [toSwitch(0), toSwitch(1)] };
  const failing = { id: 91, type: 'u32' as const, value: 0, code: 999 };
  const { driver, write } = openedNvml({ ...board, fields: [failing, ...counters] });

  expect(driver.read(0).nvlinkTxBytes).toEqual({ missing: 'nvmlReturn999' });
  write({ gpus: [{ ...h100(0), ...board, fields: [{ id: 91, type: 'u32', value: 2 }, ...counters] }] });
  expect(driver.read(0, false)).toMatchObject({
    nvlinkTxBytes: { value: 222 },
    nvlinkRxBytes: { value: 444 },
  });
});

test('at the other end of a link may be what the driver does not know', () => {
  const remotePci = { domain: 0xffff_ffff, bus: 0xffff_ffff, device: 0xffff_ffff };
  const read = links({ nvlinks: [{ ...toSwitch(0), remoteType: 255, remotePci }] });

  expect(read).toMatchObject([
    {
      remoteType: null,
      remotePciAddress: null,
      missing: { remoteType: 'noData', remotePciAddress: 'noData' },
    },
  ]);
});
