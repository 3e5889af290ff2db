import type { WebSocket } from 'ws';
import { plainText } from '../../core/words.ts';
import type { Login } from './access.ts';
import { type ExecEnd, faultOfEnd } from './exec-end.ts';
import { FirstLine } from './first-line.ts';
import { fullName } from './metadata.ts';
import { agentContainer } from './pod.ts';
import { openPodSocket } from './pod-socket.ts';
import type { Agent } from './view.ts';

/** The server takes the first that it knows: v5 where the API server speaks SPDY to the kubelet for us (1.30), else v4. */
const protocols = ['v5.channel.k8s.io', 'v4.channel.k8s.io'];
const channels = { stdin: 0, stdout: 1, stderr: 2, status: 3 } as const;
/** The end of stderr says why a program ended. */
const keptStderrBytes = 4096;

const query = new URLSearchParams([
  ['command', '/agent'],
  ['command', '--oneshot=1'],
  ['container', agentContainer],
  ...['stdin', 'stdout', 'stderr'].map((stream): [string, string] => [stream, 'true']),
]).toString();

interface Execution {
  /** One JSON-RPC request. */
  readonly line: string;
  readonly signal: AbortSignal;
  /** Called as soon as there is a connection. */
  readonly opened: (() => void) | undefined;
}

/**
 * Runs `/agent --oneshot=1` in the agent's container, as `kubectl exec -i` does: one line in, one line out. The program
 * ends by itself after its answer, and when its stdin ends, as it does with the connection.
 *
 * @returns the first line of its stdout
 * @throws Fault CLUSTER_…, NODE_UNREACHABLE (PodGone among them), NODE_BAD_ANSWER, NODE_TIMEOUT; the signal's reason
 */
export async function execute(
  login: Login,
  agent: Agent,
  { line, signal, opened }: Execution,
): Promise<string> {
  const pod = fullName({ namespace: agent.namespace, name: agent.pod });
  const begin = (webSocket: WebSocket) => {
    opened?.();
    return { answer: conversation(webSocket, { line, pod, signal }) };
  };
  const request = { subresource: 'exec', query, protocols, what: 'exec', opened: begin } as const;
  const { answer } = await openPodSocket(login, agent, request, signal);
  return answer;
}

interface Conversation {
  readonly line: string;
  readonly pod: string;
  readonly signal: AbortSignal;
}

function conversation(webSocket: WebSocket, { line, pod, signal }: Conversation): Promise<string> {
  return new Promise<string>((resolve, reject) => {
    const stdout = new FirstLine(`the agent in pod ${pod}`);
    let stderr = Buffer.alloc(0);
    const end = (how: ExecEnd): void => {
      const unended = stdout.rest();
      if (unended !== '') resolve(unended);
      else reject(faultOfEnd(how, pod, stderr.toString()));
    };
    const receivers: Readonly<Record<number, (content: Buffer) => void>> = {
      [channels.stdout]: (content) => stdout.push(content, resolve, reject),
      [channels.stderr]: (content) => {
        stderr = Buffer.concat([stderr, content]).subarray(-keptStderrBytes);
      },
      [channels.status]: (content) => end({ status: content.toString() }),
    };
    const abort = (): void => reject(signal.reason);
    signal.addEventListener('abort', abort, { once: true });
    webSocket.on('message', (message: Buffer) => {
      const content = message.subarray(1);
      if (content.length > 0) receivers[message[0] ?? -1]?.(content); // an empty one says that the channel is open
    });
    webSocket.on('error', (error) => end({ lost: plainText(error.message) }));
    webSocket.on('close', (code) => end({ lost: `closed with ${code}` }));
    webSocket.send(Buffer.concat([Buffer.of(channels.stdin), Buffer.from(`${line}\n`)]));
    if (signal.aborted) abort();
  }).finally(() => webSocket.terminate()); // what would still come is read by nobody
}
