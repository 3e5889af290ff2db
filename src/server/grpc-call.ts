import { connect, constants } from 'node:http2';
import { connect as connectSocket } from 'node:net';

export interface GrpcCall {
  /** A unix socket. */
  readonly socket: string;
  /** `/package.Service/Method` */
  readonly path: string;
  readonly deadlineMs: number;
  readonly answerBytesAtMost: number;
}

/** One flag (compressed or not) and the length, before each message. */
const prefixBytes = 5;
const statusOk = '0';

/**
 * One unary call over a connection of its own, without TLS: nothing is left of it when the server is restarted, and there
 * is no back-off to wait for. The whole of gRPC for Node would cost the agent 10 MB for this one call.
 *
 * Source: grpc/grpc doc/PROTOCOL-HTTP2.md
 *
 * @throws Error that says what the server, or the way to it, answered; after the deadline at the latest
 */
export async function grpcCall(call: GrpcCall, message: Uint8Array): Promise<Buffer> {
  const socket = connectSocket(call.socket);
  const session = connect('http://localhost', { createConnection: () => socket });
  let deadline: NodeJS.Timeout | undefined;
  try {
    return await new Promise<Buffer>((resolve, reject) => {
      session.on('error', reject);
      deadline = setTimeout(
        () => reject(new Error(`no answer within ${call.deadlineMs} ms`)),
        call.deadlineMs,
      );
      const stream = session.request({
        [constants.HTTP2_HEADER_METHOD]: 'POST',
        [constants.HTTP2_HEADER_PATH]: call.path,
        [constants.HTTP2_HEADER_CONTENT_TYPE]: 'application/grpc',
        [constants.HTTP2_HEADER_TE]: 'trailers',
        'grpc-timeout': `${call.deadlineMs}m`,
      });
      collect(stream, call.answerBytesAtMost).then(resolve, reject);
      stream.end(framed(message));
    });
  } finally {
    clearTimeout(deadline);
    session.destroy();
    socket.destroy(); // Bun's session leaves it open where the server has said nothing yet
  }
}

type Stream = ReturnType<ReturnType<typeof connect>['request']>;

async function collect(stream: Stream, atMostBytes: number): Promise<Buffer> {
  const fields: Record<string, unknown> = {};
  const chunks: Buffer[] = [];
  let bytes = 0;
  await new Promise<void>((resolve, reject) => {
    stream.on('response', (headers) => Object.assign(fields, headers)); // a refusal has no other
    stream.on('trailers', (trailers) => Object.assign(fields, trailers));
    stream.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > atMostBytes) reject(new Error(`an answer of more than ${atMostBytes} bytes`));
      else chunks.push(chunk);
    });
    stream.on('error', reject);
    stream.on('close', resolve);
  });
  if (fields['grpc-status'] !== statusOk) throw new Error(refusal(fields));
  return unframed(Buffer.concat(chunks));
}

function refusal(fields: Readonly<Record<string, unknown>>): string {
  const { ':status': http, 'grpc-status': status, 'grpc-message': message = '' } = fields;
  if (status === undefined) return `HTTP status ${http ?? 'missing'}, and no gRPC status`;
  return `gRPC status ${status} ${decoded(String(message))}`.slice(0, 200).trimEnd();
}

/** Percent-encoded, or it should be. */
function decoded(message: string): string {
  try {
    return decodeURIComponent(message);
  } catch {
    return message;
  }
}

function framed(message: Uint8Array): Buffer {
  const prefix = Buffer.alloc(prefixBytes);
  prefix.writeUInt32BE(message.length, 1);
  return Buffer.concat([prefix, message]);
}

function unframed(answer: Buffer): Buffer {
  const whole = answer.length >= prefixBytes && answer[0] === 0;
  const end = whole ? prefixBytes + answer.readUInt32BE(1) : Number.POSITIVE_INFINITY;
  if (answer.length < end) throw new Error('an answer that is cut off, or compressed');
  return answer.subarray(prefixBytes, end);
}
