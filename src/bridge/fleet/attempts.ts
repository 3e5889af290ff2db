import { DelegateBackoff, handleWhen, type IRetryBackoffContext, retry } from 'cockatiel';

import { isUntrusted } from '../../core/certificate.ts';
import { Fault } from '../../core/fault.ts';
import { plainText } from '../../core/words.ts';
import type { NodeLimits } from './limits.ts';
import type { Reply, Road } from './road.ts';
import { tieFor, untilAborted } from './tie.ts';

/**
 * Waits before the second attempt and those after it. Five in all: where one request of twenty fails, four would leave a node
 * of twenty silent once in 8,000 calls, and the calls after that one too, until it is probed; five once in 160,000.
 */
const backOffsMs = [25, 50, 100, 200];
const jitter = 0.25;
const backoff = new DelegateBackoff(({ attempt }: IRetryBackoffContext<unknown>) => {
  return (backOffsMs[attempt - 1] ?? 0) * (1 + jitter * (2 * Math.random() - 1));
});

/**
 * Asks one node, up to five times (a road may allow fewer): after a reset, a truncated or garbled answer, 429 or 5xx, and after a stream that was
 * open already and gave no answer. A new stream that gives none is a node that gives none.
 *
 * @param judge makes the value of a reply, or throws the Fault that it stands for
 * @throws Fault of the last attempt, or the caller's abort reason
 */
export async function attempts<T>(
  road: Road,
  headers: Readonly<Record<string, string>>,
  body: string,
  judge: (reply: Reply) => T,
  { limits, signal }: { limits: NodeLimits; signal: AbortSignal },
): Promise<T> {
  const { signal: either, release } = tieFor(limits.nodeMs, signal);
  let last: Attempted | undefined;
  const tries = retry(
    handleWhen(() => last?.again === true),
    { maxAttempts: Math.min(road.retries, backOffsMs.length), backoff },
  ).execute(async () => {
    either.throwIfAborted(); // cockatiel's retry makes one more attempt after an abort
    const reused = road.open();
    try {
      return judge(await attempt(road, headers, body, { reused, limits, signal: either }));
    } catch (thrown) {
      either.throwIfAborted();
      const fault = Fault.from(thrown);
      last = { fault, again: fault.retryable && (reused || fault.code !== 'NODE_TIMEOUT') };
      throw fault;
    }
  });
  try {
    return await untilAborted(tries, either); // cockatiel's back-off cannot be aborted
  } catch (thrown) {
    signal.throwIfAborted();
    if (either.aborted) throw last?.fault ?? noAnswer(limits.nodeMs);
    throw thrown;
  } finally {
    release();
  }
}

interface Attempted {
  readonly fault: Fault;
  readonly again: boolean;
}

async function attempt(
  road: Road,
  headers: Readonly<Record<string, string>>,
  body: string,
  { reused, limits, signal }: { reused: boolean; limits: NodeLimits; signal: AbortSignal },
): Promise<Reply> {
  const ms = reused ? limits.attemptMs : limits.firstAttemptMs;
  const { signal: either, release } = tieFor(ms, signal);
  try {
    return await road.post(headers, body, either);
  } catch (cause) {
    signal.throwIfAborted();
    throw either.aborted ? noAnswer(ms, cause) : broken(cause);
  } finally {
    release();
  }
}

function noAnswer(ms: number, cause?: unknown): Fault {
  return new Fault(`no answer within ${ms} ms`, { code: 'NODE_TIMEOUT', cause });
}

const refused = new Set(['ECONNREFUSED', 'EHOSTUNREACH', 'ENETUNREACH', 'ENOTFOUND', 'EAI_AGAIN']);

function broken(cause: unknown): Fault {
  if (cause instanceof Fault) return cause;
  const { code, message } = cause as NodeJS.ErrnoException;
  const said = plainText(message || code || 'no reason given'); // OpenSSL's sentences end with a line break
  if (code !== undefined && isUntrusted(code))
    return new Fault(`the certificate of the agent is not trusted: ${said}`, {
      code: 'NODE_CERTIFICATE',
      cause,
    });
  if (code !== undefined && refused.has(code)) return new Fault(said, { code: 'NODE_UNREACHABLE', cause });
  return new Fault(`the connection broke: ${said}`, { code: 'NODE_UNREACHABLE', cause });
}
