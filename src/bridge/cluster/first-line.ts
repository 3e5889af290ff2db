import { Fault } from '../../core/fault.ts';

const lineFeed = 10;
/** Far above an answer with 16 GPUs (20 KB); a pod cannot make the bridge hold more. */
const maxBytes = 16 * 1024 * 1024;

/** Collects bytes until a line is whole; blank lines before it do not count. */
export class FirstLine {
  readonly #whose: string;
  #chunks: Buffer[] = [];
  #bytes = 0;
  #done = false;

  constructor(whose: string) {
    this.#whose = whose;
  }

  /** Calls one of the two once: when the line is whole, or longer than anyone may say. */
  push(content: Buffer, whole: (line: string) => void, refuse: (fault: Fault) => void): void {
    if (this.#done) return;
    this.#chunks.push(content);
    this.#bytes += content.length;
    const fault = `${this.#whose} answered with a line of more than ${maxBytes} bytes`;
    if (this.#bytes > maxBytes) {
      this.#end();
      refuse(new Fault(fault, { code: 'NODE_BAD_ANSWER' }));
    } else if (content.includes(lineFeed)) this.#look(whole);
  }

  #look(whole: (line: string) => void): void {
    const all = Buffer.concat(this.#chunks);
    const line = all.toString('utf8').trimStart().split('\n', 1)[0] ?? '';
    const at = all.lastIndexOf(lineFeed);
    if (all.subarray(0, at).toString('utf8').trim() !== '') {
      this.#end();
      whole(line.trim());
      return;
    }
    this.#chunks = [all.subarray(at + 1)];
    this.#bytes = all.length - at - 1;
  }

  /** Whatever comes behind it is not kept. */
  #end(): void {
    this.#done = true;
    this.#chunks = [];
    this.#bytes = 0;
  }

  /** What has come without the end of a line. */
  rest(): string {
    return Buffer.concat(this.#chunks).toString('utf8').trim();
  }
}
