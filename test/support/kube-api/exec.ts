import type { WebSocket } from 'ws';

/** What runs in a pod when something is executed there. */
export type Program = (run: Run) => void | Promise<void>;

export interface Run {
  /** The command as it was asked for. */
  readonly command: readonly string[];
  readonly container: string | null;
  /** The bytes that came first on stdin, as text. */
  readonly stdin: string;
  stdout(bytes: string | Buffer): void;
  stderr(text: string): void;
  /** Ends with this code, as the kubelet tells it; 0 is success. */
  exit(code: number): void;
  /** What the API server says where nothing could be started. */
  fail(message: string): void;
  /** The connection breaks. */
  drop(): void;
  /** True once the client has gone. */
  readonly left: () => boolean;
}

/** An exec over a websocket: channels 0 stdin, 1 stdout, 2 stderr, 3 the Status object at its end. */
export function serveExec(webSocket: WebSocket, query: URLSearchParams, program: Program = missing): void {
  const send = (channel: number, bytes: Buffer) =>
    webSocket.send(Buffer.concat([Buffer.of(channel), bytes]), () => {});
  const end = (status: object) => {
    send(3, Buffer.from(JSON.stringify({ metadata: {}, ...status })));
    webSocket.close(1000);
  };
  let left = false;
  webSocket.on('close', () => {
    left = true;
  });
  webSocket.on('error', () => {});
  send(1, Buffer.alloc(0)); // as the API server: the connection is established
  webSocket.once('message', (message: Buffer) => {
    void program({
      command: query.getAll('command'),
      container: query.get('container'),
      stdin: message.subarray(1).toString(),
      stdout: (bytes) => send(1, Buffer.from(bytes)),
      stderr: (text) => send(2, Buffer.from(text)),
      exit: (code) => end(code === 0 ? { status: 'Success' } : nonZero(code)),
      fail: (message) =>
        end({
          status: 'Failure',
          message: `Internal error occurred: ${message}`,
          reason: 'InternalError',
          code: 500,
        }),
      drop: () => webSocket.terminate(),
      left: () => left,
    });
  });
}

const missing: Program = ({ fail }) =>
  fail('error executing command in container: container not found ("agent")');

function nonZero(code: number): object {
  return {
    status: 'Failure',
    message: `command terminated with non-zero exit code: exit status ${code}`,
    reason: 'NonZeroExitCode',
    details: { causes: [{ reason: 'ExitCode', message: `${code}` }] },
  };
}
