import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { certificate, privateKey } from './certificate.ts';
import type { Program } from './exec.ts';
import type { KubeObject } from './objects.ts';
import { podSockets } from './pod-sockets.ts';
import { statusBody } from './status.ts';

/** What a request asks, as RBAC sees it. */
export interface Access {
  readonly verb: string;
  readonly resource: string;
  /** null is all namespaces, or none */
  readonly namespace: string | null;
}

/**
 * A very small API server: lists, watches, port-forwards and executes what a test puts in, and refuses as the real one does.
 * The real one is in test/cluster; this one is for what a real one cannot be made to do at will.
 */
export interface KubeApi {
  readonly url: string;
  /** `list pods`, `watch nodes gpu-mcp`, `create pods/portforward gpu-mcp` */
  readonly requests: string[];
  put(...objects: KubeObject[]): void;
  remove(object: KubeObject): void;
  /** Ends all open watches, as the server does after some minutes. */
  endWatches(): void;
  openWatches(): number;
  /** Drops every connection and refuses new ones, until `resume`. */
  pause(): Promise<void>;
  resume(): Promise<void>;
  close(): Promise<void>;
}

export interface KubeApiOptions {
  readonly objects?: readonly KubeObject[];
  readonly allows?: (access: Access) => boolean;
  readonly accepts?: (authorization: string) => boolean;
  /** The local port that a pod's port-forward ends in; 0 refuses the connection. */
  readonly targets?: Readonly<Record<string, number>>;
  /** What an exec in a pod runs; without one its container is not found. */
  readonly programs?: Readonly<Record<string, Program>>;
  /** false: pings on a port-forward are not answered. */
  readonly autoPong?: boolean;
  /** Answers nothing to a request for which this holds. */
  readonly swallows?: (access: Access) => boolean;
}

interface Watcher {
  readonly access: Access;
  readonly query: URLSearchParams;
  readonly response: ServerResponse;
}

const resourceOf: Record<string, string> = {
  Pod: 'pods',
  DaemonSet: 'daemonsets',
  Node: 'nodes',
  Event: 'events',
};

export async function startKubeApi(options: KubeApiOptions = {}): Promise<KubeApi> {
  const {
    allows = () => true,
    accepts = (authorization) => authorization === 'Bearer good',
    swallows = () => false,
  } = options;
  const objects = new Map((options.objects ?? []).map((object) => [object.metadata.uid, object]));
  const watchers = new Set<Watcher>();
  const sockets = new Set<Duplex>();
  const requests: string[] = [];
  let version = 100;

  function notify(type: string, object: KubeObject): void {
    Object.assign(object.metadata, { resourceVersion: String(++version) });
    for (const watcher of watchers)
      if (isWanted(object, watcher)) watcher.response.write(`${JSON.stringify({ type, object })}\n`);
  }

  function refusal(access: Access, { headers }: IncomingMessage): [number, string] | null {
    const { verb, resource, namespace } = access;
    requests.push([verb, resource, namespace].filter((word) => word !== null).join(' '));
    if (!accepts(headers.authorization ?? '')) return [401, 'Unauthorized'];
    if (allows(access)) return null;
    const where = namespace === null ? 'at the cluster scope' : `in the namespace "${namespace}"`;
    return [
      403,
      `${resource} is forbidden: User "dev" cannot ${verb} resource "${resource}" in API group "" ${where}`,
    ];
  }

  const server = createServer({ key: privateKey, cert: certificate }, (request, response) => {
    const { access, query } = parse(request);
    if (swallows(access)) return;
    const refused = refusal(access, request);
    if (refused) return sendStatus(response, ...refused);
    response.writeHead(200, { 'content-type': 'application/json' });
    if (access.verb === 'list') {
      const items = [...objects.values()].filter((object) => isWanted(object, { access, query }));
      response.end(JSON.stringify({ metadata: { resourceVersion: String(version) }, items }));
      return;
    }
    const watcher = { access, query, response };
    watchers.add(watcher);
    response.once('close', () => watchers.delete(watcher));
    response.flushHeaders();
  });
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  podSockets(server, {
    targets: options.targets ?? {},
    programs: options.programs ?? {},
    autoPong: options.autoPong ?? true,
    refuse: (request, resource, { pod, namespace }) => {
      const access = { verb: 'create', resource, namespace };
      const there = [...objects.values()].some(
        (object) => object.kind === 'Pod' && object.metadata.name === pod,
      );
      if (swallows(access)) return 'swallow';
      return refusal(access, request) ?? (there ? null : [404, `pods "${pod}" not found`]);
    },
  });

  const listen = (port: number) => new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  await listen(0);
  const { port } = server.address() as AddressInfo;
  const stop = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve());
      for (const socket of sockets) socket.destroy();
    });
  return {
    url: `https://127.0.0.1:${port}`,
    requests,
    put(...changed) {
      for (const object of changed) {
        notify(objects.has(object.metadata.uid) ? 'MODIFIED' : 'ADDED', object);
        objects.set(object.metadata.uid, object);
      }
    },
    remove(object) {
      objects.delete(object.metadata.uid);
      notify('DELETED', object);
    },
    endWatches: () => {
      for (const { response } of watchers) response.end();
    },
    openWatches: () => watchers.size,
    pause: stop,
    resume: () => listen(port),
    close: stop,
  };
}

function parse({ url = '/' }: IncomingMessage): { access: Access; query: URLSearchParams } {
  const { pathname, searchParams: query } = new URL(url, 'http://any');
  const [, , namespace, resource = ''] =
    /^\/apis?\/(?:apps\/)?v1(\/namespaces\/([^/]+))?\/(\w+)$/.exec(pathname) ?? [];
  return {
    access: { verb: query.get('watch') ? 'watch' : 'list', resource, namespace: namespace ?? null },
    query,
  };
}

function isWanted(
  object: KubeObject,
  { access, query }: { access: Access; query: URLSearchParams },
): boolean {
  const { namespace = null, labels = {} } = object.metadata as {
    namespace?: string;
    labels?: Record<string, string>;
  };
  const selector = (query.get('labelSelector') ?? '').split(',').filter((pair) => pair !== '');
  return (
    resourceOf[object.kind] === access.resource &&
    (access.namespace === null || access.namespace === namespace) &&
    selector.every((pair) => labels[pair.split('=')[0] ?? ''] === pair.split('=')[1])
  );
}

function sendStatus(response: ServerResponse, code: number, message: string): void {
  response.writeHead(code, { 'content-type': 'application/json' }).end(statusBody(code, message));
}
