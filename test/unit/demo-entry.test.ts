import { expect, test } from 'vitest';

import { serverEntry } from '../../src/demo/demo.ts';

test('from a clone, a host is to start what is there: nothing of that name need be published', () => {
  expect(
    serverEntry({ command: '/usr/bin/node', entry: '/home/me/k8s-gpu-mcp/dist/bridge.js' }, ['demo']),
  ).toEqual({
    command: '/usr/bin/node',
    args: ['/home/me/k8s-gpu-mcp/dist/bridge.js', 'demo'],
  });
});

test.for([
  '/home/me/.npm/_npx/1f2e/node_modules/k8s-gpu-mcp/dist/bridge.js',
  'C:\\Users\\me\\AppData\\npm\\node_modules\\k8s-gpu-mcp\\dist\\bridge.js',
])('from npm, it is started by npx: %s', (entry) => {
  expect(serverEntry({ command: '/usr/bin/node', entry }, [])).toEqual({
    command: 'npx',
    args: ['-y', 'k8s-gpu-mcp'],
  });
});
