/** Most characters of one message. */
const MESSAGE_MAX = 4 * 1024 * 1024;

/** Cuts a body that comes in chunks into its messages: JSON values, each on a line of its own. */
export class JsonLines {
  readonly #decoder = new TextDecoder();
  #rest = '';

  /**
   * @returns the messages that are whole now
   * @throws Error when a line is no JSON, or too long to be one of ours
   */
  push(chunk: Uint8Array): unknown[] {
    const lines = (this.#rest + this.#decoder.decode(chunk, { stream: true })).split('\n');
    this.#rest = lines.pop()!;
    if (this.#rest.length > MESSAGE_MAX) throw new Error(`a message of more than ${MESSAGE_MAX} characters`);
    return lines.filter(line => line.trim() !== '').map(line => JSON.parse(line));
  }

  /** What came behind the last line break: a message, or undefined. @throws Error when it is a part of one */
  end(): unknown {
    return this.#rest.trim() === '' ? undefined : JSON.parse(this.#rest);
  }
}
