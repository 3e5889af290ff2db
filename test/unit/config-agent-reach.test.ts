import { expect, test } from 'vitest';

import { isLoopback } from '../../src/server/reach.ts';
import { configOf, file, refusalOf } from '../support/agent-config.ts';

const refused: [argv: string[], sentence: RegExp][] = [
  [
    ['--port', '1', '--addr', '0.0.0.0'],
    /--addr 0\.0\.0\.0 is reachable.*--token-file, or --insecure-no-auth/,
  ],
  [['--port', '1', '--addr', '::'], /--addr :: is reachable/],
  [['--port', '1', '--allowed-hosts', 'x'], /--allowed-hosts is only allowed with --insecure-no-auth/],
  [['--health-port', '1'], /--health-port is only allowed with a --port above 0/],
  [['--oneshot=1', '--health-port', '1'], /--health-port is only allowed with a --port above 0/],
  [['--idle', '--health-port', '1'], /--health-port is only allowed with a --port above 0/],
  [['--port', '1', '--health-port', '1'], /--port and --health-port are both 1: each .* a port of its own/],
  [['--port', '1', '--health-port', '1', '--health-addr', '0.0.0.0'], /are both 1/],
  [['--port', '1', '--health-port', '1', '--health-addr', '::'], /are both 1/],
  [
    ['--port', '1', '--expose-addr', '10.0.0.1'],
    /--expose-addr 10\.0\.0\.1 is reachable.*--token-file, or --insec/,
  ],
  [
    ['--port', '1', '--addr', '10.0.0.2', '--expose-addr', '10.0.0.1', '--insecure-no-auth'],
    /--addr 10\.0\.0\.2 is reachable .* already: --expose-addr needs an --addr on loopback/,
  ],
  [
    ['--port', '1', '--expose-addr', '0.0.0.0', '--insecure-no-auth'],
    /--expose-addr 0\.0\.0\.0 is --addr 127\.0\.0\.1 too.*name the pod's own address/,
  ],
  [['--port', '1', '--expose-addr', '127.0.0.1', '--insecure-no-auth'], /is --addr 127\.0\.0\.1 too/],
  [['--expose-addr', '10.0.0.1'], /--expose-addr is only allowed with a --port above 0/],
  [['--idle', '--tls-cert-file', '/c'], /--tls-cert-file is only allowed with a --port above 0/],
  [
    ['--port=1', '--expose-addr=10.0.0.1', '--insecure-no-auth', '--health-port=1', '--health-addr=10.0.0.1'],
    /are both 1/,
  ],
  [
    ['--port=1', '--expose-addr=10.0.0.1', '--insecure-no-auth', '--tls-cert-file=/c'],
    /--tls-cert-file is only allowed with --tls-key-file/,
  ],
  [
    ['--port=1', '--expose-addr=10.0.0.1', '--insecure-no-auth', '--tls-key-file=/k'],
    /--tls-key-file is only allowed with --tls-cert-file/,
  ],
  [
    ['--port=1', '--tls-cert-file=/c', '--tls-key-file=/k'],
    /--tls-cert-file is only allowed with --expose-addr, or an --addr beyond loopback/,
  ],
];

test.for(refused)('%j is refused in one sentence that names it and what is allowed', ([argv, sentence]) => {
  const refusal = refusalOf(argv);

  expect(refusal).toMatch(sentence);
  expect(refusal).not.toContain('\n');
});

test('what belongs to a listener is left alone in the environment of a process that has none', () => {
  const variables = { EXPOSE_ADDR: '10.0.0.1', TLS_CERT_FILE: '/c', TLS_KEY_FILE: '/k', HEALTH_PORT: '8081' };
  const environment = Object.fromEntries(
    Object.entries(variables).map(([name, value]) => [`K8S_GPU_MCP_${name}`, value]),
  );

  expect(configOf(['--oneshot', '1'], environment).mode).toMatchObject({ kind: 'oneshot' });
  expect(configOf(['--idle'], environment).mode).toEqual({ kind: 'idle' });
});

test('a health port of the environment is left alone where nothing listens, and one port serves two addresses', () => {
  expect(configOf(['--idle'], { K8S_GPU_MCP_HEALTH_PORT: '8081' }).mode).toEqual({ kind: 'idle' });
  expect(configOf(['--port', '1', '--health-port', '1', '--health-addr', '10.0.0.1']).health).toEqual({
    port: 1,
    addr: '10.0.0.1',
  });
});

test.for([
  ['--token-file', true],
  ['--insecure-no-auth', false],
] as const)('an address beyond loopback is allowed with %s', ([flag, takesFile]) => {
  const argv = [flag, ...(takesFile ? [file('0123456789abcdef')] : [])];

  expect(configOf(['--port', '1', '--addr', '0.0.0.0', ...argv]).mode).toMatchObject({ addr: '0.0.0.0' });
});

test('loopback is the whole of 127/8, ::1 and localhost', () => {
  const addresses = [
    '127.0.0.1',
    '127.1.2.3',
    '::1',
    'localhost',
    '0.0.0.0',
    '::',
    '10.0.0.1',
    '127.0.0.1.evil',
  ];

  expect(addresses.filter(isLoopback)).toEqual(['127.0.0.1', '127.1.2.3', '::1', 'localhost']);
});
