import { expect, test } from 'vitest';

import { unreadable } from '../../src/core/driver.ts';
import type { Snapshot } from '../../src/core/snapshot.ts';
import { healthFetch } from '../../src/server/health.ts';
import { agentMetrics } from '../../src/server/metrics.ts';
import { contextOf } from '../support/answers.ts';
import { driverInfo } from '../support/gpus.ts';

const info = driverInfo;
const away = {
  state: 'unavailable',
  code: 'DRIVER_NOT_FOUND',
  message: 'no such file',
  hint: '',
  sinceMs: 0,
} as const;

function health({ driver = { state: 'ok', info }, gpus = [] }: Partial<Snapshot> = {}, ready = true) {
  const snapshot = (): Snapshot => ({ simulated: false, driver, gpus });
  const metrics = agentMetrics(() => ({ ...contextOf(snapshot()), nowMs: 12_000 }));
  const fetch = healthFetch({ ready: () => ready, snapshot, metrics });
  return { metrics, fetch, get: (path: string) => fetch(new Request(`http://10.0.0.7:8081${path}`)) };
}

function gpuReadAt(readAtMs: number | null) {
  return {
    index: 0,
    readings: unreadable('notReady'),
    readAtMs,
    slowReadAtMs: readAtMs,
    rates: null,
    trouble: null,
  };
}

test.for([
  ['ok', { state: 'ok', info }],
  ['unavailable', away],
  ['notResponding', { state: 'notResponding', info, sinceMs: 0 }],
] as const)('a driver that is %s does not make the pod unready, and is told', async ([state, driver]) => {
  const { get } = health({ driver, gpus: [gpuReadAt(0)] });

  const [alive, ready] = [await get('/healthz'), await get('/readyz')];

  expect([alive.status, ready.status]).toEqual([200, 200]);
  expect(await ready.json()).toEqual({ ready: true, driver: state, gpus: 1 });
});

test('it is not ready while it starts or ends, and alive all the same', async () => {
  const { get } = health({ driver: { state: 'starting' } }, false);

  expect([(await get('/readyz')).status, (await get('/healthz')).status]).toEqual([503, 200]);
});

test.for(['/', '/mcp', '/healthz/', '/metrics/x'])('%s is not served', async (path) => {
  const response = await health().get(path);

  expect(response.status).toBe(404);
  expect(await response.json()).toEqual({ error: 'paths are /healthz, /readyz, /version, /metrics' });
});

test('a request of HTTP/1.0 without a Host is told what it lacks', async () => {
  const response = await health().fetch({ url: '/healthz', method: 'GET' } as Request);

  expect(response.status).toBe(400);
  expect(await response.json()).toEqual({ error: expect.stringContaining('Host header') });
});

test('the version is told', async () => {
  expect(await (await health().get('/version')).json()).toEqual({
    name: 'k8s-gpu-mcp',
    version: expect.stringMatching(/^\d+\.\d+\.\d+/),
  });
});

test('metrics tell the age of the oldest reading, and none while nothing was read', async () => {
  const age = async (...gpus: Snapshot['gpus']) => {
    const text = await (await health({ gpus }).get('/metrics')).text();
    return /^k8s_gpu_mcp_snapshot_age_seconds (.*)$/m.exec(text)?.[1];
  };

  expect(await age(gpuReadAt(11_000), gpuReadAt(9500), gpuReadAt(null))).toBe('2.5');
  expect(await age(gpuReadAt(null))).toBeUndefined();
});

test('metrics tell the state of the driver, calls and their durations', async () => {
  const { get, metrics } = health({ driver: away });
  metrics.called('get_gpu_health', 'ok', 2);
  metrics.called('get_gpu_health', 'BAD_ARGUMENT', 1);
  metrics.inFlight(3);

  const text = await (await get('/metrics')).text();

  for (const line of [
    'k8s_gpu_mcp_driver_state{state="unavailable"} 1',
    'k8s_gpu_mcp_driver_state{state="ok"} 0',
    'k8s_gpu_mcp_calls_total{tool="get_gpu_health",outcome="ok"} 1',
    'k8s_gpu_mcp_calls_total{tool="get_gpu_health",outcome="BAD_ARGUMENT"} 1',
    'k8s_gpu_mcp_call_duration_seconds_count{tool="get_gpu_health"} 2',
    'k8s_gpu_mcp_calls_in_flight 3',
  ])
    expect(text.split('\n')).toContain(line);
});
