// The conformance suite's fixtures on the agent's own HTTP stack. Compiled and run by tests only.
import { createLog } from '../../../src/core/log.ts';
import { loopbackDoor } from '../../../src/server/agent.ts';
import { agentHttp } from '../../../src/server/http.ts';
import { httpLimits, listenerOptions } from '../../../src/server/limits.ts';
import { statelessHandler } from '../../../src/server/mcp.ts';
import { agentMetrics } from '../../../src/server/metrics.ts';
import { directFixtures, fixtureServer } from './fixture-server.ts';

const log = createLog('error', (line) => process.stderr.write(line));
const metrics = agentMetrics(
  () => ({ simulated: true, driver: { state: 'starting' }, gpus: [] }),
  () => performance.now(),
);
const handler = statelessHandler(() => fixtureServer(() => handler.notify), {
  maxRequestBodySize: httpLimits.bodyBytes,
  direct: directFixtures,
  log,
});
const http = agentHttp({
  mcp: (request) => handler.fetch(request),
  log,
  metrics,
  ...loopbackDoor,
  ...httpLimits,
});
const { url } = Bun.serve({ ...listenerOptions, hostname: '127.0.0.1', port: 0, fetch: http.fetch });
process.stdout.write(`${new URL('/mcp', url).href}\n`);
