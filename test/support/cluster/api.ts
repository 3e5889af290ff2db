import { Agent, request } from 'node:https';

/** Anything the API server stores. */
export interface KubeObject {
  apiVersion: string;
  kind: string;
  metadata: { name: string; namespace?: string; uid?: string; [field: string]: unknown };
  [field: string]: unknown;
}

/** Which object, or with an empty `name` which collection. */
export interface ObjectRef {
  apiVersion: string;
  kind: string;
  name: string;
  /** Absent for what lives in no namespace. */
  namespace?: string | undefined;
}

/**
 * A few calls to the API server, as one user. Not kubectl, because starting that once for each of hundreds of
 * objects takes longer than everything else; not the bridge's client, because a harness made of what it tests
 * would share its mistakes.
 */
export interface Api {
  /** Creates the object or brings it to this form, by server-side apply. */
  apply(object: KubeObject): Promise<KubeObject>;
  /** Merges `status` through the status subresource. */
  patchStatus(ref: ObjectRef, status: object): Promise<KubeObject>;
  get(path: string): Promise<unknown>;
  /** Deletes without grace; an object that does not exist is fine. */
  remove(ref: ObjectRef): Promise<void>;
  /** Drops idle connections; to be called when the server goes away. */
  disconnect(): void;
}

interface Answer {
  status: number;
  text: string;
}

export function connect(
  { address, port }: { address: string; port: number },
  { ca, token }: { ca: string; token: string },
): Api {
  const agent = new Agent({ keepAlive: true, maxSockets: 16, ca });

  function send(method: string, path: string, body?: object, type = 'application/json'): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const headers = { authorization: `Bearer ${token}`, 'content-type': type };
      const outgoing = request({ host: address, port, path, method, headers, agent }, (incoming) => {
        const chunks: Buffer[] = [];
        incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
        incoming.on('error', reject);
        incoming.on('end', () =>
          resolve({ status: incoming.statusCode ?? 0, text: Buffer.concat(chunks).toString() }),
        );
      });
      outgoing.on('error', reject);
      outgoing.setTimeout(30_000, () =>
        outgoing.destroy(new Error(`${method} ${path}: no answer within 30 s`)),
      );
      outgoing.end(body && JSON.stringify(body));
    });
  }

  async function call<T>(method: string, path: string, body?: object, type?: string): Promise<T> {
    const { status, text } = await send(method, path, body, type);
    if (status >= 300) throw new Error(`${method} ${path}: ${status} ${text}`);
    return (text.startsWith('{') ? JSON.parse(text) : text) as T;
  }

  return {
    apply: (object) => {
      const path = `${pathOf(refOf(object))}?fieldManager=harness&force=true`;
      return call('PATCH', path, object, 'application/apply-patch+yaml');
    },
    patchStatus: (ref, status) =>
      call('PATCH', `${pathOf(ref)}/status`, { status }, 'application/merge-patch+json'),
    get: (path) => call('GET', path),
    async remove(ref) {
      const path = `${pathOf(ref)}?gracePeriodSeconds=0`;
      const { status, text } = await send('DELETE', path);
      if (status >= 300 && status !== 404) throw new Error(`DELETE ${path}: ${status} ${text}`);
    },
    disconnect: () => agent.destroy(),
  };
}

/** Where an object lives, such as `/apis/apps/v1/namespaces/gpu/daemonsets/agent`. */
function pathOf({ apiVersion, kind, name, namespace }: ObjectRef): string {
  const root = apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
  const scope = namespace ? `/namespaces/${namespace}` : '';
  return `${root}${scope}/${plural(kind)}/${name}`;
}

function refOf({ apiVersion, kind, metadata: { name, namespace } }: KubeObject): ObjectRef {
  return { apiVersion, kind, name, namespace };
}

/** English is regular enough for every built-in kind but Endpoints, which already is one. */
function plural(kind: string): string {
  const word = kind.toLowerCase();
  if (word === 'endpoints') return word;
  if (word.endsWith('s')) return `${word}es`;
  return word.endsWith('y') ? `${word.slice(0, -1)}ies` : `${word}s`;
}
