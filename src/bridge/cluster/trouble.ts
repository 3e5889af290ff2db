import { isUntrusted } from '../../core/certificate.ts';
import { Fault, type FaultCode } from '../../core/fault.ts';
import { isTimeout } from '../../core/time-limit.ts';
import { plainText, whyUnreadable } from '../../core/words.ts';

/** What was asked of the API server, for the message and for the `kubectl auth can-i` line. */
export interface Question {
  readonly verb: string;
  /** `pods`, `daemonsets.apps`, `pods/portforward` */
  readonly resource: string;
  /** null is all namespaces, or none for nodes */
  readonly namespace: string | null;
}

/** Whom it was asked of. Neither carries a credential. */
export interface Asked {
  readonly server: string;
  /** ` by the proxy http://proxy:3128`, or nothing */
  readonly via: string;
  /** `user "dev" of context "prod"` */
  readonly who: string;
}

/** An answer of the API server other than the one hoped for. `body` is a Status object, or whatever a proxy sent. */
export function faultOfStatus(status: number, body: string, question: Question, asked: Asked): Fault {
  const said = statusMessage(body) ?? `HTTP ${status}`;
  if (status === 401)
    return fault(
      `${asked.server} does not accept the login of ${asked.who}: ${said}`,
      'CLUSTER_UNAUTHORIZED',
    );
  if (status === 403) return fault(`${said}. To check: ${canI(said, question)}`, 'CLUSTER_FORBIDDEN');
  // All else in the question is ours, so what it finds fault with is the user's selector.
  if (status === 400) return fault(`${asked.server} refuses the selector: ${said}`, 'BAD_FLAG');
  return fault(`${asked.server} answered ${status}: ${said}`, 'CLUSTER_UNREACHABLE');
}

/** `message` of a Status object; null if the body is something else. */
export function statusMessage(body: string): string | null {
  try {
    const { message } = JSON.parse(body) as { message?: unknown };
    return typeof message === 'string' && message !== '' ? plainText(message) : null;
  } catch {
    return null;
  }
}

/** The verb is taken from the server's words: for a port-forward 1.34 checks `get`, 1.35 `create`. */
function canI(said: string, { verb, resource, namespace }: Question): string {
  const checked = /cannot (\w+) resource/.exec(said)?.[1] ?? verb;
  const [type, subresource] = resource.split('/');
  const sub = subresource ? ` --subresource=${subresource}` : '';
  const where = namespace === null ? ' --all-namespaces' : ` -n ${namespace}`;
  return `kubectl auth can-i ${checked} ${type}${sub}${resource === 'nodes' ? '' : where}`;
}

/** What was thrown on the way to the API server. */
export function faultOfError(thrown: unknown, asked: Asked): Fault {
  if (thrown instanceof Fault) return thrown;
  const { path } = Object(thrown) as { path?: unknown };
  const reason = reasonOf(thrown);
  if (typeof path === 'string')
    return fault(
      `cannot read ${path}, which the kubeconfig names: ${whyUnreadable(thrown)}`,
      'KUBECONFIG_INVALID',
      thrown,
    );
  if (isTimeout(thrown))
    return fault(`${asked.server} has not answered in time`, 'CLUSTER_UNREACHABLE', thrown);
  return ofCode(thrown, reason, asked);
}

function ofCode(thrown: unknown, reason: string, { server, via }: Asked): Fault {
  const { code } = Object(thrown) as { code?: unknown };
  const verdict = String(code ?? '');
  const tls = verdict === 'EPROTO' ? reason : verdict; // then OpenSSL's own words are in the message only
  if (isUntrusted(verdict) || /alert.*(certificate|unknown.ca)/i.test(tls))
    return fault(`the certificate of ${server} is not trusted: ${reason}`, 'CLUSTER_CERTIFICATE', thrown);
  if (/^ERR_OSSL_|^ERR_CRYPTO_/.test(verdict))
    return fault(
      `the certificate or key in the kubeconfig cannot be used: ${reason}`,
      'KUBECONFIG_INVALID',
      thrown,
    );
  const why = /wrong.version.number|packet.length.too.long/i.test(tls)
    ? 'what answers there does not speak TLS'
    : reason;
  return fault(`cannot reach ${server}${via}: ${why}`, 'CLUSTER_UNREACHABLE', thrown);
}

/** Node tries all addresses of a name and then throws an AggregateError without a message. */
function reasonOf(thrown: unknown): string {
  if (thrown instanceof AggregateError) return [...new Set(thrown.errors.map(reasonOf))].join('; ');
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  const { code, hostname } = Object(thrown) as { code?: unknown; hostname?: unknown };
  if (code === 'ENOTFOUND') return `the name ${plainText(String(hostname))} is not known here (ENOTFOUND)`;
  if (code === 'EAI_AGAIN')
    return `the name ${plainText(String(hostname))} could not be looked up (EAI_AGAIN)`;
  const proxyStatus = /^Bad response: (\d+)$/.exec(message)?.[1]; // hpagent's words
  return proxyStatus ? `the proxy answered ${proxyStatus}` : plainText(message);
}

function fault(message: string, code: FaultCode, cause?: unknown): Fault {
  return new Fault(message, { code, cause });
}
