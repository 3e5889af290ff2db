import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';

import { launchAgent, startAgent, until, within } from '../support/agent.ts';
import { callTool, post, toolRequest } from '../support/agent-client.ts';
import { fakeDriver } from '../support/agent-driver.ts';
import { callsInFlight, rawCall } from '../support/agent-raw.ts';

const simulated = { args: ['--nvml-mode', 'simulated'] };

test.concurrent('told to end, it is not ready at once, finishes what it answers, takes no more, and ends well', async (context) => {
  const agent = await startAgent(context, simulated);
  const request = await rawCall(context, agent, { bytes: 50 });
  await until('it is being answered', async () => (await callsInFlight(agent)) === 1);

  agent.child.kill('SIGTERM');
  await until('it is not ready', async () => (await agent.health('/readyz')).status === 503);
  expect((await agent.health('/healthz')).status).toBe(200);
  expect((await post(agent.url, toolRequest('get_gpu_health'))).status).toBe(503);
  await sleep(300); // it does not end while it answers
  expect(agent.child.exitCode).toBeNull();
  request.sendRest();

  expect(await within(agent.ended, 'the agent to end')).toMatchObject({ code: 0, signal: null, stdout: '' });
  expect(request.received()).toMatch(/^HTTP\/1\.1 200[\s\S]*8 GPUs on 1 node/);
});

test.concurrent.for(['SIGTERM', 'SIGINT'] as const)(
  'with nothing to do it ends on %s, with code 0',
  async (signal, context) => {
    const agent = await startAgent(context, simulated);
    await callTool(agent.url, 'get_gpu_health'); // leaves a connection open

    agent.child.kill(signal);

    expect(await within(agent.ended, 'the agent to end')).toMatchObject({ code: 0, signal: null });
  },
);

test.concurrent('on stdio it ends on SIGTERM too, although stdin is open', async (context) => {
  const driver = fakeDriver(context);
  const agent = launchAgent(context, driver);
  await until('it has started', () => agent.log().some(({ msg }) => msg === 'driver opened'));

  agent.child.kill('SIGTERM');

  expect(await within(agent.ended, 'the agent to end')).toMatchObject({ code: 0, stdout: '' });
});

test.concurrent('the health listener serves probes, version and metrics, to anyone, and nothing else', async (context) => {
  const agent = await startAgent(context, simulated);
  const paths = ['/healthz', '/readyz', '/version', '/metrics', '/mcp', '/'];

  const statuses = await Promise.all(paths.map(async (path) => (await agent.health(path)).status));
  const call = await post(`http://127.0.0.1:${agent.healthPort}/mcp`, toolRequest('get_gpu_health'));

  expect(statuses).toEqual([200, 200, 200, 200, 404, 404]);
  expect(call.status).toBe(404);
  expect((await fetch(agent.url.replace('/mcp', '/metrics'))).status).toBe(404);
});

test.concurrent('metrics have a type each and parse, and count calls', async (context) => {
  const agent = await startAgent(context, simulated);
  await callTool(agent.url, 'get_gpu_health');
  await callTool(agent.url, 'get_gpu_health', { nodez: 1 });

  const response = await agent.health('/metrics');
  const text = await response.text();

  expect(response.headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/);
  const types = Object.fromEntries(
    [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name, type]) => [name, type]),
  );
  expect(types).toEqual({
    k8s_gpu_mcp_build_info: 'gauge',
    k8s_gpu_mcp_gpus: 'gauge',
    k8s_gpu_mcp_memory_limit_bytes: 'gauge',
    k8s_gpu_mcp_memory_working_set_bytes: 'gauge',
    k8s_gpu_mcp_snapshot_age_seconds: 'gauge',
    k8s_gpu_mcp_driver_state: 'gauge',
    k8s_gpu_mcp_calls_in_flight: 'gauge',
    k8s_gpu_mcp_calls_total: 'counter',
    k8s_gpu_mcp_call_duration_seconds: 'histogram',
  });
  const samples = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  for (const sample of samples) {
    expect(sample).toMatch(/^[a-z_0-9]+(\{([a-z]+="[^"\\\n]*",?)+\})? [-+]?[\d.e+-]+$/i);
    const [name = ''] = /^\w+/.exec(sample) ?? [];
    expect(Object.keys(types)).toContain(name.replace(/_(bucket|sum|count)$/, ''));
  }
  expect(samples).toContain('k8s_gpu_mcp_calls_total{tool="get_gpu_health",outcome="ok"} 1');
  expect(samples).toContain('k8s_gpu_mcp_calls_total{tool="get_gpu_health",outcome="BAD_ARGUMENT"} 1');
  expect(samples).toContain('k8s_gpu_mcp_driver_state{state="ok"} 1');
});
