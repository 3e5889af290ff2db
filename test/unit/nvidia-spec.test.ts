import { expect, test } from 'vitest';

import { type Driver, withDriver } from '../support/node/nvidia-spec.ts';

const driver: Driver = {
  library: '/node/libnvidia-ml.so.1',
  libraryInContainer: '/usr/lib/x86_64-linux-gnu/libnvidia-ml.so.1',
  folder: '/node/config',
  device: { path: '/dev/nvidiactl', major: 10, minor: 237 },
};
const asking = (...env: string[]) => ({ process: { env } });

test('a container that asks gets library, configuration, device node, and the rule that opens it', () => {
  const spec = {
    ...asking('NVIDIA_VISIBLE_DEVICES=all'),
    mounts: [{ destination: '/proc' }],
    linux: {
      namespaces: [{ type: 'pid' }],
      resources: { memory: { limit: 1 }, devices: [{ allow: false, access: 'rwm' }] },
    },
  };

  expect(withDriver(spec, driver)).toEqual({
    ...spec,
    mounts: [
      { destination: '/proc' },
      {
        source: '/node/libnvidia-ml.so.1',
        destination: '/usr/lib/x86_64-linux-gnu/libnvidia-ml.so.1',
        type: 'bind',
        options: ['rbind', 'nosuid', 'nodev', 'ro'],
      },
      {
        source: '/node/config',
        destination: '/run/fake-nvml',
        type: 'bind',
        options: ['rbind', 'nosuid', 'nodev', 'rw'],
      },
    ],
    linux: {
      namespaces: [{ type: 'pid' }],
      devices: [
        { path: '/dev/nvidiactl', type: 'c', major: 10, minor: 237, fileMode: 0o666, uid: 0, gid: 0 },
      ],
      resources: {
        memory: { limit: 1 },
        devices: [
          { allow: false, access: 'rwm' },
          { allow: true, type: 'c', major: 10, minor: 237, access: 'rw' },
        ],
      },
    },
  });
});

test.for([
  [asking()],
  [asking('NVIDIA_VISIBLE_DEVICES=')],
  [asking('NVIDIA_VISIBLE_DEVICES=void')],
  [asking('NVIDIA_VISIBLE_DEVICES=none')],
  [asking('NVIDIA_VISIBLE_DEVICES=all', 'NVIDIA_VISIBLE_DEVICES=void')],
  [{}],
])('a container that asks for none is left as it is: %j', ([spec]) => {
  expect(withDriver(spec ?? {}, driver)).toBe(spec);
});
