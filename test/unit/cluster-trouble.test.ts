import { expect, test } from 'vitest';
import { faultOfError, faultOfStatus } from '../../src/bridge/cluster/trouble.ts';

const asked = { server: 'https://api', via: '', who: 'user dev of context prod' };
const pods = { verb: 'list', resource: 'pods', namespace: null };
const status = (message: string) => JSON.stringify({ kind: 'Status', message });

test.for<[number, string, string, string]>([
  [
    400,
    status('unable to parse requirement'),
    'BAD_FLAG',
    'https://api refuses the selector: unable to parse requirement',
  ],
  [
    401,
    'nonsense',
    'CLUSTER_UNAUTHORIZED',
    'https://api does not accept the login of user dev of context prod: HTTP 401',
  ],
  [403, status('no'), 'CLUSTER_FORBIDDEN', 'no. To check: kubectl auth can-i list pods --all-namespaces'],
  [429, status('too many'), 'CLUSTER_UNREACHABLE', 'https://api answered 429: too many'],
  [502, '<html>', 'CLUSTER_UNREACHABLE', 'https://api answered 502: HTTP 502'],
])('HTTP %i', ([code, body, fault, message]) => {
  expect(faultOfStatus(code, body, pods, asked)).toMatchObject({ code: fault, message });
});

test.for<[string, object, string]>([
  ['pods in a namespace', { ...pods, namespace: 'a' }, 'list pods -n a'],
  ['nodes, which are in none', { verb: 'list', resource: 'nodes', namespace: null }, 'list nodes'],
  [
    'a group',
    { verb: 'list', resource: 'daemonsets.apps', namespace: null },
    'list daemonsets.apps --all-namespaces',
  ],
  [
    'a subresource',
    { verb: 'create', resource: 'pods/portforward', namespace: 'a' },
    'create pods --subresource=portforward -n a',
  ],
])('the line to check a right: %s', ([, question, line]) => {
  const { message } = faultOfStatus(403, status('no'), question as typeof pods, asked);

  expect(message).toBe(`no. To check: kubectl auth can-i ${line}`);
});

test.for<[string, string, string]>([
  ['ENOTFOUND', 'getaddrinfo ENOTFOUND api', 'CLUSTER_UNREACHABLE'],
  ['ETIMEDOUT', 'connect ETIMEDOUT', 'CLUSTER_UNREACHABLE'],
  [
    'EPROTO',
    'write EPROTO 1:error:0A000438:SSL routines:ssl3_read_bytes:tlsv1 alert unknown ca:',
    'CLUSTER_CERTIFICATE',
  ],
  [
    'EPROTO',
    'write EPROTO 1:error:0A00010B:SSL routines:ssl3_get_record:wrong version number:',
    'CLUSTER_UNREACHABLE',
  ],
  ['ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED', 'certificate required', 'CLUSTER_CERTIFICATE'],
  ['SELF_SIGNED_CERT_IN_CHAIN', 'self-signed certificate in certificate chain', 'CLUSTER_CERTIFICATE'],
  ['CERT_HAS_EXPIRED', 'certificate has expired', 'CLUSTER_CERTIFICATE'],
  ['ERR_OSSL_PEM_NO_START_LINE', 'no start line', 'KUBECONFIG_INVALID'],
])('%s: %s', ([code, message, fault]) => {
  expect(faultOfError(Object.assign(new Error(message), { code }), asked).code).toBe(fault);
});

test('a name that nobody knows is told in words', () => {
  const unknown = Object.assign(new Error('getaddrinfo ENOTFOUND api.x'), {
    code: 'ENOTFOUND',
    hostname: 'api.x',
  });

  expect(faultOfError(unknown, asked).message).toBe(
    'cannot reach https://api: the name api.x is not known here (ENOTFOUND)',
  );
});

test('a certificate that the kubeconfig names and nobody has: the path is named once', () => {
  const missing = Object.assign(new Error("ENOENT: no such file or directory, open '/x/c.crt'"), {
    code: 'ENOENT',
    path: '/x/c.crt',
  });

  expect(faultOfError(missing, asked)).toMatchObject({
    code: 'KUBECONFIG_INVALID',
    message: 'cannot read /x/c.crt, which the kubeconfig names: there is no such file',
  });
});

test('all addresses of a name that were tried are told', () => {
  const both = new AggregateError([
    new Error('connect ECONNREFUSED ::1:1'),
    new Error('connect ECONNREFUSED 127.0.0.1:1'),
  ]);

  expect(faultOfError(both, asked).message).toBe(
    'cannot reach https://api: connect ECONNREFUSED ::1:1; connect ECONNREFUSED 127.0.0.1:1',
  );
});
