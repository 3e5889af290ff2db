import { type Cluster, type Context, KubeConfig } from '@kubernetes/client-node';
import { Fault } from '../../core/fault.ts';
import { didYouMean } from '../../core/similar.ts';
import { plainText } from '../../core/words.ts';
import type { Machine } from './programs.ts';
import { proxyFor } from './proxy.ts';
import { listed } from './text.ts';

/** A kubeconfig with its current context chosen; its cluster and user exist. */
export interface Kubeconfig {
  readonly config: KubeConfig;
  readonly context: string;
  /** Of the context; `default` if it names none. */
  readonly namespace: string;
}

interface Source {
  /** The files, in words. */
  readonly from: string;
  readonly env: Machine['env'];
}

/** @throws Fault CONTEXT_NOT_FOUND, KUBECONFIG_INVALID, CLUSTER_PLAIN_HTTP */
export function chooseContext(config: KubeConfig, name: string | undefined, source: Source): Kubeconfig {
  const context = config.contexts.find((candidate) => candidate.name === name);
  if (!context) throw noContext(config, name, source);

  const { from, env } = source;
  const lacks = (what: string) =>
    new Fault(`context ${context.name} names ${what}, which is not in ${from}`, {
      code: 'KUBECONFIG_INVALID',
    });
  const cluster = config.clusters.find((candidate) => candidate.name === context.cluster);
  if (!cluster) throw lacks(`cluster ${context.cluster}`);
  const user = config.users.find((candidate) => candidate.name === context.user);
  if (context.user && !user) throw lacks(`user ${context.user}`);
  refuseServer(cluster, from);

  // Without a user the library would also leave out the cluster's CA and skipTLSVerify.
  const login = user ?? { name: 'anonymous' };
  const pinned = new KubeConfig();
  pinned.loadFromOptions({
    clusters: [{ ...cluster, proxyUrl: cluster.proxyUrl || proxyFor(cluster.server, env) || undefined }],
    users: [login],
    contexts: [{ ...context, user: login.name } satisfies Context],
    currentContext: context.name,
  });
  return { config: pinned, context: context.name, namespace: context.namespace || 'default' };
}

function noContext({ contexts }: KubeConfig, name: string | undefined, { from }: Source): Fault {
  const names = contexts.map((context) => context.name);
  if (names.length === 0)
    return new Fault(`${from} names no context, and so no cluster`, { code: 'KUBECONFIG_INVALID' });
  const what = name
    ? `there is no context ${JSON.stringify(plainText(name))} in ${from}${didYouMean(name, names)}`
    : `no context is current in ${from}`;
  return new Fault(`${what}; there are ${listed(names, 20)}`, { code: 'CONTEXT_NOT_FOUND' });
}

/** The library refuses http:// too, but at each request and without saying what would make it work. */
function refuseServer({ name, server, skipTLSVerify }: Cluster, from: string): void {
  if (!URL.canParse(server) || !/^https?:/.test(server))
    throw new Fault(`the server of cluster ${name} in ${from} is no URL that begins with https://`, {
      code: 'KUBECONFIG_INVALID',
    });
  if (server.startsWith('http:') && !skipTLSVerify)
    throw new Fault(
      `cluster ${name} in ${from} is at ${publicUrl(server)}: without TLS everyone on the way can read the login`,
      { code: 'CLUSTER_PLAIN_HTTP' },
    );
}

/** The URL without a password that it may carry. */
export function publicUrl(url: string): string {
  const parsed = new URL(url);
  parsed.username = '';
  parsed.password = '';
  return parsed.href.replace(/\/$/, '');
}
