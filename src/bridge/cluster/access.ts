import type { RequestOptions } from 'node:https';
import type { KubeConfig } from '@kubernetes/client-node';
import { Fault } from '../../core/fault.ts';
import type { Log } from '../../core/log.ts';
import { timeLimit } from '../../core/time-limit.ts';
import { plainText } from '../../core/words.ts';
import { type Kubeconfig, publicUrl } from './context.ts';
import { type Credential, type Plugin, runPlugin } from './credential-plugin.ts';
import { loadKubeconfig } from './kubeconfig.ts';
import type { Machine } from './programs.ts';
import { type Asked, faultOfError } from './trouble.ts';
import { waitFor } from './waiting.ts';

/** A login, and what a request to the API server needs of it. */
export interface Login extends Asked {
  /** What paths are appended to; Rancher's has a path of its own. */
  readonly baseUrl: string;
  readonly context: string;
  /** Of the context. */
  readonly namespace: string;
  /** Headers, TLS settings and an agent that knows the proxy. */
  readonly options: RequestOptions;
}

/** The way to the API server. Shared by all that ask at the same time, so that a plugin runs once for all of them. */
export interface Access {
  /** @throws Fault KUBECONFIG_…, CONTEXT_NOT_FOUND, CLUSTER_PLAIN_HTTP, CREDENTIAL_PLUGIN_FAILED */
  login(signal: AbortSignal): Promise<Login>;
  /** Where it leads to, as far as that is known yet. For messages. */
  server(): string;
  /** The API server has refused this login: the next one reads the kubeconfig again and asks the plugin again. */
  refused(login: Login): void;
}

interface Session {
  readonly kubeconfig: Kubeconfig;
  /** Milliseconds since 1970. */
  readonly expiresAt: number;
}

const pluginLimitMs = 60_000;
/** A token is not used in the last seconds of its life: it might not live until it arrives. */
const expiryMarginMs = 5_000;

/** @param life ends with the cluster; until then a slow login goes on although the first to wait for it has left */
export function openAccess({
  machine,
  context,
  log,
  life,
}: {
  machine: Machine;
  context: string | undefined;
  log: Log;
  life: AbortSignal;
}): Access {
  // A `kubectl config use-context` while we run must not turn one cluster's fleet into another's.
  let pinned = context;
  let session: Promise<Session> | null = null;
  let logins: Promise<Login> | null = null;
  let latest: Login | null = null;

  async function start(): Promise<Session> {
    const kubeconfig = loadKubeconfig(machine, pinned);
    pinned = kubeconfig.context;
    const signal = AbortSignal.any([life, timeLimit(pluginLimitMs)]);
    const credential = await credentialOf(kubeconfig.config, { machine, signal });
    log.debug('logged in', { context: pinned, plugin: credential !== null });
    return { kubeconfig, expiresAt: expiry(credential) };
  }

  async function current(): Promise<Session> {
    if (session && (await session.catch(() => null)) === null) session = null;
    if (session && (await session).expiresAt < Date.now()) session = null;
    session ??= start();
    return session;
  }

  async function makeLogin(): Promise<Login> {
    const { kubeconfig } = await current();
    latest = await loginOf(kubeconfig, life);
    return latest;
  }

  return {
    login(signal) {
      if (!logins) {
        logins = makeLogin();
        const done = () => {
          logins = null;
        };
        logins.then(done, done);
      }
      return waitFor(logins, signal, (cause) => stillWaiting(pinned, cause));
    },
    server: () => latest?.server ?? 'the API server',
    refused(login) {
      if (login === latest || login.options.agent === latest?.options.agent) session = null;
    },
  };
}

function stillWaiting(context: string | undefined, cause: unknown): Fault {
  const of = context === undefined ? '' : ` of context ${context}`;
  return new Fault(
    `the login${of} is not done yet: its credential plugin or identity provider is slow or hangs`,
    {
      code: 'CREDENTIAL_PLUGIN_FAILED',
      cause,
    },
  );
}

/** Puts what the plugin says in place of the plugin, so that the library needs not know of it. */
async function credentialOf(
  config: KubeConfig,
  { machine, signal }: { machine: Machine; signal: AbortSignal },
): Promise<Credential | null> {
  const user = config.getCurrentUser();
  const provider: unknown = user?.authProvider?.name;
  if (provider === 'gcp' || provider === 'azure')
    throw new Fault(
      `the kubeconfig logs in by the auth-provider ${provider}, which kubectl gave up in 1.26; get a new one by ` +
        (provider === 'gcp' ? 'gcloud container clusters get-credentials' : 'az aks get-credentials'),
      { code: 'KUBECONFIG_INVALID' },
    );
  const plugin = user?.exec as Plugin | null | undefined;
  if (!user || !plugin) return null;

  const credential = await runPlugin(plugin, { machine, cluster: clusterInfo(config), signal });
  const { token, clientCertificateData: cert, clientKeyData: key } = credential;
  const { exec: _, ...rest } = user;
  config.users = [
    {
      ...rest,
      ...(token ? { token } : {}),
      ...(cert && key ? { certData: base64(cert), keyData: base64(key) } : {}),
    },
  ];
  return credential;
}

/** Source: client.authentication.k8s.io/v1 Cluster. */
function clusterInfo(config: KubeConfig): object {
  const cluster = config.getCurrentCluster();
  return {
    server: cluster?.server,
    'tls-server-name': cluster?.tlsServerName,
    'insecure-skip-tls-verify': cluster?.skipTLSVerify,
    'certificate-authority-data': cluster?.caData,
    'proxy-url': cluster?.proxyUrl,
  };
}

function base64(pem: string): string {
  return Buffer.from(pem).toString('base64');
}

function expiry(credential: Credential | null): number {
  const at = Date.parse(credential?.expirationTimestamp ?? '');
  return Number.isNaN(at) ? Number.POSITIVE_INFINITY : at - expiryMarginMs;
}

async function loginOf({ config, context, namespace }: Kubeconfig, life: AbortSignal): Promise<Login> {
  const baseUrl = config.getCurrentCluster()?.server ?? '';
  const server = publicUrl(baseUrl);
  const user = config.getCurrentUser();
  // hpagent gives up on a silent proxy only if it is told a time.
  const proxyUrl = config.getCurrentCluster()?.proxyUrl;
  const options: RequestOptions = proxyUrl ? { timeout: 30_000 } : {};
  const via = proxyUrl ? ` by the proxy ${URL.canParse(proxyUrl) ? publicUrl(proxyUrl) : 'named'}` : '';
  const asked = { server, via, who: `user ${user?.name} of context ${context}` };
  try {
    await config.applyToHTTPSOptions(options);
  } catch (thrown) {
    if (user?.authProvider?.name !== 'oidc') throw faultOfError(thrown, asked);
    const why = plainText(thrown instanceof Error ? thrown.message : String(thrown));
    throw new Fault(`renewing the OIDC login failed: ${why}`, {
      code: 'CREDENTIAL_PLUGIN_FAILED',
      cause: thrown,
    });
  }
  closeWith(life, options.agent);
  return { ...asked, baseUrl, context, namespace, options };
}

/** A proxy that is asked for a tunnel and stays silent would keep the process alive. */
function closeWith(life: AbortSignal, agent: RequestOptions['agent']): void {
  if (!agent || typeof agent !== 'object' || !('proxyRequestOptions' in agent)) return;
  Object.assign(agent.proxyRequestOptions as object, { signal: life });
}
