import { Fault } from '../../core/fault.ts';
import { plainText } from '../../core/words.ts';

/** How an exec ended before there was an answer: by a Status object, or with its connection. */
export type ExecEnd = { readonly status: string } | { readonly lost: string };

/** `metav1.Status` as the API server or the kubelet sends it at the end of an exec, as far as we look. */
interface RawStatus {
  readonly status?: string;
  readonly reason?: string;
  readonly message?: string;
  readonly details?: { readonly causes?: readonly { readonly reason?: string; readonly message?: string }[] };
}

/** The container runtime's words, for a program that it cannot start: runc's and crun's. */
const isNotRunnable = /no such file or directory|executable file .*not found|permission denied/i;
/** It names the program, and no socket of the runtime nor a pod `…/agent-…`. */
const isAboutProgram = /(?:^|[\s"'`])\/agent(?![\w-])/;

/**
 * Why there is no answer.
 *
 * @param pod its full name
 * @param stderr the end of what the program wrote there
 */
export function faultOfEnd(end: ExecEnd, pod: string, stderr: string): Fault {
  if ('lost' in end)
    return new Fault(`the exec in pod ${pod} was lost (${end.lost})${said(stderr)}`, {
      code: 'NODE_UNREACHABLE',
    });
  const { status, reason, message = '', details } = parsed(end.status);
  if (status === 'Success')
    return new Fault(`/agent in pod ${pod} ended without an answer${said(stderr)}`, {
      code: 'NODE_BAD_ANSWER',
    });
  if (reason === 'NonZeroExitCode') {
    const code = Number(details?.causes?.find((cause) => cause.reason === 'ExitCode')?.message);
    return faultOfExitCode(code, pod, stderr);
  }
  if (isAboutProgram.test(message) && isNotRunnable.test(message))
    return notRunnable(pod, plainText(message));
  return new Fault(`exec in pod ${pod}: ${plainText(message) || 'no reason given'}${said(stderr)}`, {
    code: 'NODE_UNREACHABLE',
  });
}

function faultOfExitCode(code: number, pod: string, stderr: string): Fault {
  if (code === 126 || code === 127) return notRunnable(pod, `exit code ${code}${said(stderr)}`);
  const killed = code > 128 && code < 160;
  const how = killed ? `was killed (signal ${code - 128}${code === 137 ? ', often for memory' : ''})` : '';
  return new Fault(`/agent in pod ${pod} ${how || `ended with exit code ${code}`}${said(stderr)}`, {
    code: 'NODE_BAD_ANSWER',
  });
}

function notRunnable(pod: string, why: string): Fault {
  return new Fault(`/agent cannot be run in container agent of pod ${pod}: ${why}`, {
    code: 'NODE_UNREACHABLE',
  });
}

/** Its last line: those before it tell how it got there. */
function said(stderr: string): string {
  const last = plainText(stderr.trim().split('\n').at(-1) ?? '');
  return last === '' ? '' : `: ${last}`;
}

function parsed(text: string): RawStatus {
  try {
    return Object(JSON.parse(text)) as RawStatus;
  } catch {
    return { message: text };
  }
}
