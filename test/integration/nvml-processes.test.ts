import { afterEach, expect, test, vi } from 'vitest';

import { openedNvml } from '../support/agent-nvml.ts';
import type { FakeGpu } from '../support/nvml/fake-config.ts';

afterEach(() => vi.useRealTimers());

function processesOf(gpu: Partial<FakeGpu>, values: Parameters<typeof openedNvml>[1] = {}) {
  return openedNvml(gpu, values).driver.inquire('processes', 0);
}

const three: Partial<FakeGpu> = {
  processes: [
    { pid: 101, usedBytes: 2 ** 40 + 1 },
    { pid: 102, usedBytes: null },
    { pid: 103, usedBytes: 3, gpuInstance: 7, computeInstance: 1, protectedBytes: 5 },
  ],
};

test.for([24, 32] as const)(
  'records of %i bytes are told apart, and give the same processes',
  (processRecordBytes) => {
    const processes = processesOf(three, { processRecordBytes });

    const common = { kinds: ['compute'], utilization: { missing: 'noData' } };
    expect(processes).toEqual({
      value: [
        {
          pid: 101,
          usedBytes: { value: 2 ** 40 + 1 },
          gpuInstanceId: null,
          computeInstanceId: null,
          ...common,
        },
        {
          pid: 102,
          usedBytes: { missing: 'notSupported' },
          gpuInstanceId: null,
          computeInstanceId: null,
          ...common,
        },
        { pid: 103, usedBytes: { value: 3 }, gpuInstanceId: 7, computeInstanceId: 1, ...common },
      ],
    });
  },
);

test.for([24, 32] as const)('a single record of %i bytes is told apart, too', (processRecordBytes) => {
  const processes = [{ pid: 77, usedBytes: 5 }];

  expect(processesOf({ processes }, { processRecordBytes })).toMatchObject({
    value: [{ pid: 77, usedBytes: { value: 5 } }],
  });
});

test('a process of several lists is one, with what it does', () => {
  const both = { pid: 5, usedBytes: 100 };
  const gpu = {
    processes: [both],
    graphicsProcesses: [both, { pid: 6, usedBytes: 1 }],
    mpsProcesses: [{ pid: 7, usedBytes: 2 }],
  };

  expect(processesOf(gpu)).toMatchObject({
    value: [
      { pid: 5, kinds: ['compute', 'graphics'] },
      { pid: 6, kinds: ['graphics'] },
      { pid: 7, kinds: ['mps'] },
    ],
  });
});

test('processes whose pids the driver cannot translate all have pid 0, and stay several', () => {
  const processes = [
    { pid: 0, usedBytes: 10 },
    { pid: 0, usedBytes: 20 },
  ];
  const processSamples = [{ microseconds: 5n, pid: 0, sm: 30 }];

  expect(processesOf({ processes, processSamples })).toMatchObject({
    value: [
      { pid: 0, usedBytes: { value: 10 }, utilization: { missing: 'noData' } },
      { pid: 0, usedBytes: { value: 20 }, utilization: { missing: 'noData' } },
    ],
  });
});

test('a list that grows between the two calls is read whole', () => {
  const processes = Array.from({ length: 40 }, (_, at) => ({ pid: at + 1, usedBytes: at }));

  const answer = processesOf({ processes, growingProcesses: 30 });

  expect('value' in answer && answer.value.length).toBe(40);
});

test('a driver without one of the lists tells the others; without any it says why there are none', () => {
  const without = ['nvmlDeviceGetMPSComputeRunningProcesses_v3', 'nvmlDeviceGetGraphicsRunningProcesses_v3'];
  expect(processesOf(three, { without })).toMatchObject({
    value: [{ pid: 101 }, { pid: 102 }, { pid: 103 }],
  });

  const { driver, write } = openedNvml(three);
  write({ gpus: [], returns: [] });
  expect(driver.inquire('processes', 0)).toEqual({ missing: 'nvmlReturn2' });
  write({ gpus: [{ name: 'x', uuid: 'GPU-1', pci: null, ...three }], returns: [{ code: 999, gpu: 0 }] });
  expect(driver.inquire('processes', 0)).toEqual({ missing: 'nvmlReturn999' });
});

test('an older name of a list is used where the newer is not there', () => {
  expect(processesOf(three, { without: ['nvmlDeviceGetComputeRunningProcesses_v3'] })).toMatchObject({
    value: [{ pid: 101 }, { pid: 102 }, { pid: 103, gpuInstanceId: 7 }],
  });
});

test('utilisation is the newest sample of the process, and who asks just after another is told the same', () => {
  vi.useFakeTimers({ toFake: ['performance'] });
  const at = (seconds: number) => BigInt(1_700_000_000_000_000 + seconds * 1_000_000);
  const running = {
    processes: [
      { pid: 101, usedBytes: 1 },
      { pid: 102, usedBytes: 1 },
    ],
  };
  const first = [
    { microseconds: at(2), pid: 101, sm: 50, memory: 20, encoder: 3, decoder: 4 },
    { microseconds: at(1), pid: 101, sm: 10 },
    { microseconds: at(2), pid: 103, sm: 99 },
  ];
  const { driver, write } = openedNvml({ ...running, processSamples: first });
  const utilizations = () => {
    const answer = driver.inquire('processes', 0);
    return 'value' in answer ? answer.value.map(({ utilization }) => utilization) : answer;
  };

  const newest = [
    {
      value: {
        smPercent: 50,
        memoryPercent: 20,
        encoderPercent: 3,
        decoderPercent: 4,
        atMs: 1_700_000_002_000,
      },
    },
    { missing: 'noData' },
  ];
  expect(utilizations()).toEqual(newest);
  vi.advanceTimersByTime(500);
  expect(utilizations()).toEqual(newest);

  vi.advanceTimersByTime(10_000);
  expect(utilizations()).toEqual([{ missing: 'noData' }, { missing: 'noData' }]); // idle meanwhile

  const later = [...first, { microseconds: at(5), pid: 102, sm: 7 }];
  write({ gpus: [{ name: 'x', uuid: 'GPU-1', pci: null, ...running, processSamples: later }] });
  expect(utilizations()).toMatchObject([{ missing: 'noData' }, { value: { smPercent: 7 } }]);
});

test('a sample of more than all is garbage, and is dropped', () => {
  const samples = [
    { microseconds: 10, pid: 101, sm: 4_294_967_295 },
    { microseconds: 5, pid: 101, sm: 30 },
  ];

  expect(processesOf({ processes: [{ pid: 101, usedBytes: 1 }], processSamples: samples })).toMatchObject({
    value: [{ utilization: { value: { smPercent: 30 } } }],
  });
});

test('no process is an answer, and not a reason', () => {
  expect(processesOf({ processes: [] })).toEqual({ value: [] });
});

test('memory that one list tells and another does not is told', () => {
  const gpu = { processes: [{ pid: 5, usedBytes: 100 }], graphicsProcesses: [{ pid: 5, usedBytes: null }] };

  expect(processesOf(gpu)).toMatchObject({ value: [{ pid: 5, usedBytes: { value: 100 } }] });
});

test.for(['Compute', 'Graphics', 'MPSCompute'])(
  'a list that cannot be read is not an empty one: %s',
  (list) => {
    const symbol = `nvmlDeviceGet${list}RunningProcesses_v3`;

    expect(processesOf({ processes: [] }, { returns: [{ symbol, code: 10 }] })).toEqual({
      missing: 'nvmlReturn10',
    });
    expect(processesOf(three, { returns: [{ symbol, code: 3 }] })).toHaveProperty('value');
  },
);
