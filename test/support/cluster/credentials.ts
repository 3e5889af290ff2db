import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

/** Who may speak to the cluster, and how they and the cluster's programs recognise each other. */
export interface Credentials {
  readonly caPath: string;
  readonly servingCertPath: string;
  readonly servingKeyPath: string;
  /** Who the API server is to a kubelet. */
  readonly kubeletClientCertPath: string;
  readonly kubeletClientKeyPath: string;
  /** Signs service account tokens. */
  readonly serviceAccountKeyPath: string;
  /** kube-apiserver's `--token-auth-file`. */
  readonly tokenFilePath: string;
  /** @throws Error for a user that the cluster was not started with. */
  token(user: string): string;
  /** Writes a kubeconfig for `user` and returns its path; without `namespace` its context names none. */
  kubeconfig(user: string, server: string, namespace?: string): string;
}

export interface User {
  readonly name: string;
  readonly group?: string;
}

export const admin = 'admin';

/**
 * Makes a CA, one certificate for both servers (API server and kwok) and a token for each user, in `folder`.
 * @param address where the servers listen
 */
export async function makeCredentials(
  folder: string,
  users: readonly User[],
  address: string,
): Promise<Credentials> {
  const path = (name: string) => join(folder, name);
  await makeCertificates(path, address);

  const everyone = [{ name: admin, group: 'system:masters' }, ...users];
  const tokens = new Map(everyone.map(({ name }) => [name, randomBytes(16).toString('hex')]));
  const lines = everyone.map(({ name, group = '' }) => `${tokens.get(name)},${name},${name},${group}`);
  writeFileSync(path('tokens.csv'), `${lines.join('\n')}\n`, { mode: 0o600 });

  const token = (user: string): string => {
    const found = tokens.get(user);
    if (!found) throw new Error(`no user ${user} in this cluster; it has ${[...tokens.keys()].join(', ')}`);
    return found;
  };
  return {
    caPath: path('ca.crt'),
    servingCertPath: path('serving.crt'),
    servingKeyPath: path('serving.key'),
    kubeletClientCertPath: path('kubelet-client.crt'),
    kubeletClientKeyPath: path('kubelet-client.key'),
    serviceAccountKeyPath: path('service-account.key'),
    tokenFilePath: path('tokens.csv'),
    token,
    kubeconfig(user, server, namespace) {
      const file = path(`kubeconfig-${user.replaceAll(':', '-')}${namespace ? `-${namespace}` : ''}.json`);
      const content = kubeconfigOf({ user, token: token(user), server, caPath: path('ca.crt'), namespace });
      writeFileSync(file, JSON.stringify(content, null, 2), { mode: 0o600 });
      return file;
    },
  };
}

async function makeCertificates(path: (name: string) => string, address: string): Promise<void> {
  const openssl = (...args: string[]) => promisify(execFile)('openssl', args);
  const fresh = [
    'req',
    '-x509',
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:prime256v1',
    '-nodes',
    '-days',
    '2',
  ];
  const signed = [
    ...fresh,
    '-CA',
    path('ca.crt'),
    '-CAkey',
    path('ca.key'),
    '-addext',
    'basicConstraints=CA:FALSE',
  ];

  await openssl(...fresh, '-subj', '/CN=test-ca', '-keyout', path('ca.key'), '-out', path('ca.crt'));
  await openssl(
    ...[...signed, '-subj', '/CN=test-cluster', '-addext', `subjectAltName=IP:${address},DNS:localhost`],
    ...['-keyout', path('serving.key'), '-out', path('serving.crt')],
  );
  await openssl(
    ...[...signed, '-subj', '/O=system:masters/CN=kube-apiserver'],
    ...['-keyout', path('kubelet-client.key'), '-out', path('kubelet-client.crt')],
  );
  await openssl('ecparam', '-name', 'prime256v1', '-genkey', '-noout', '-out', path('service-account.key'));
}

/** JSON is YAML, so every reader of a kubeconfig takes it. */
function kubeconfigOf(of: {
  user: string;
  token: string;
  server: string;
  caPath: string;
  namespace: string | undefined;
}): object {
  return {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'test', cluster: { server: of.server, 'certificate-authority': of.caPath } }],
    users: [{ name: of.user, user: { token: of.token } }],
    contexts: [{ name: 'test', context: { cluster: 'test', user: of.user, namespace: of.namespace } }],
    'current-context': 'test',
  };
}
