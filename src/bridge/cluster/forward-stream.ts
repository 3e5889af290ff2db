import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';
import { Fault } from '../../core/fault.ts';
import { plainText } from '../../core/words.ts';

const dataChannel = 0;
const errorChannel = 1;
/** The first message of each channel repeats the port, 2 bytes. */
const headerBytes = 2;
const pingEveryMs = 30_000;
const pongWithinMs = 10_000;

/**
 * One TCP connection to a pod's port, as v4.channel.k8s.io carries it: each message is a channel number and bytes.
 * Starts paused, so that nothing is lost, and no error goes unheard, before someone reads.
 *
 * There is no half-close in this protocol: ending the writable side closes the connection.
 */
export class ForwardStream extends Duplex {
  readonly #webSocket: WebSocket;
  readonly #socket: Socket;
  readonly #name: string;
  readonly #headerDone = [false, false];
  readonly #pings: NodeJS.Timeout;
  #pong: NodeJS.Timeout | undefined;

  /**
   * @param webSocket open
   * @param socket the one under it
   * @param name of the pod, for messages
   */
  constructor(webSocket: WebSocket, socket: Socket, name: string) {
    super({ allowHalfOpen: false });
    this.#webSocket = webSocket;
    this.#socket = socket;
    this.#name = name;
    webSocket.pause();
    webSocket.on('message', (message) => this.#receive(message as Buffer));
    webSocket.on('pong', () => clearTimeout(this.#pong));
    webSocket.on('error', (error) => this.#fail(plainText(error.message), error));
    webSocket.on('close', (code) => this.#closed(code));
    this.#pings = setInterval(() => this.#ping(), pingEveryMs).unref();
    this.on('error', () => {}); // whoever reads hears of it; nobody reading must not end the process
    socket.unref();
  }

  /** As on a net.Socket. undici refs a connection while it waits for an answer. */
  ref(): this {
    this.#socket.ref();
    return this;
  }

  unref(): this {
    this.#socket.unref();
    return this;
  }

  override _read(): void {
    this.#webSocket.resume();
  }

  override _write(chunk: Buffer, _: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#send([chunk], done);
  }

  /** What was written corked becomes one message: head and body in two would meet delayed ACKs, 40 ms each. */
  override _writev(chunks: { chunk: Buffer }[], done: (error?: Error | null) => void): void {
    this.#send(
      chunks.map(({ chunk }) => chunk),
      done,
    );
  }

  override _final(done: () => void): void {
    this.#webSocket.close(1000);
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    clearInterval(this.#pings);
    clearTimeout(this.#pong);
    this.#webSocket.terminate();
    done(error);
  }

  #send(chunks: readonly Buffer[], done: (error?: Error | null) => void): void {
    this.#webSocket.send(Buffer.concat([Buffer.of(dataChannel), ...chunks]), { binary: true }, done);
  }

  #receive(message: Buffer): void {
    const channel = message[0] ?? -1;
    const skip = this.#headerDone[channel] === false ? headerBytes : 0;
    this.#headerDone[channel] = true;
    const content = message.subarray(1 + skip);
    if (content.length === 0) return;
    if (channel === errorChannel) this.#fail(plainText(content.toString()));
    else if (channel === dataChannel && !this.push(content)) this.#webSocket.pause();
  }

  #closed(code: number): void {
    if (code === 1000 || code === 1001 || code === 1005) this.push(null);
    else this.#fail(`the connection was lost (${code})`);
  }

  #ping(): void {
    // While nobody reads no pong can be heard either.
    if (this.#webSocket.isPaused) return;
    this.#webSocket.ping();
    this.#pong = setTimeout(() => {
      if (!this.#webSocket.isPaused) this.#fail(`no answer to a ping for ${pongWithinMs / 1000} s`);
    }, pongWithinMs).unref();
  }

  #fail(why: string, cause?: Error): void {
    this.destroy(new Fault(`port-forward to pod ${this.#name}: ${why}`, { code: 'NODE_UNREACHABLE', cause }));
  }
}
