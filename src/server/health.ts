import type { Snapshot } from '../core/snapshot.ts';
import { version } from '../version.ts';
import { type Fetch, pathOf } from './http.ts';
import type { AgentMetrics } from './metrics.ts';

export interface HealthOptions {
  /** True once listening and first sampled, false while shutting down. */
  readonly ready: () => boolean;
  readonly snapshot: () => Snapshot;
  readonly metrics: AgentMetrics;
}

/**
 * The second listener: probes and metrics, nothing else. `/healthz` says that the event loop turns, and no more: a
 * restart does not cure a hung driver. `/readyz` fails only while starting or shutting down, for an unready pod would
 * stop a rollout on the first sick GPU; the driver's state is in its body.
 */
export function healthFetch({ ready, snapshot, metrics }: HealthOptions): Fetch {
  const routes: Readonly<Record<string, () => Response | Promise<Response>>> = {
    '/healthz': () => Response.json({ status: 'ok' }),
    '/readyz': () => {
      const { driver, gpus } = snapshot();
      const body = { ready: ready(), driver: driver.state, gpus: gpus.length };
      return Response.json(body, { status: body.ready ? 200 : 503 });
    },
    '/version': () => Response.json({ name: 'k8s-gpu-mcp', version }),
    '/metrics': async () =>
      new Response(await metrics.text(), { headers: { 'content-type': metrics.contentType } }),
  };
  return async (request) => {
    const path = pathOf(request);
    if (path === undefined)
      return Response.json({ error: 'a Host header is needed that names a host' }, { status: 400 });
    const route = routes[path];
    if (!route)
      return Response.json({ error: `paths are ${Object.keys(routes).join(', ')}` }, { status: 404 });
    return route();
  };
}
