import type { Stored } from './history.js';

/** Milliseconds without a word after which another member is asked. */
const SILENCE = 3000;
const PREFIX = '/moovedge/';

interface Event {
  readonly type?: string;
  readonly kv: { readonly key: string; readonly value?: string; readonly mod_revision: string };
}

interface Message {
  readonly result?: { readonly events?: readonly Event[]; readonly canceled?: boolean };
}

/** Everything that was written in etcd, read by a watch of its own that begins again where it broke off. */
export class EtcdLog {
  readonly #urls: readonly string[];
  readonly #stored: Stored[];
  readonly #stop = new AbortController();
  readonly #done: Promise<void>;
  /** Revision of the last event. */
  revision = 0;

  /** @param stored takes changes, in order */
  constructor(urls: readonly string[], stored: Stored[]) {
    this.#urls = urls;
    this.#stored = stored;
    this.#done = this.#follow();
  }

  async close(): Promise<void> {
    this.#stop.abort();
    await this.#done;
  }

  async #follow(): Promise<void> {
    for (let turn = 0; !this.#stop.signal.aborted; turn++) {
      await this.#watch(this.#urls[turn % this.#urls.length]!).catch(() => {});
      await new Promise(resolve => setTimeout(resolve, 100));
    }
  }

  async #watch(url: string): Promise<void> {
    const quiet = new AbortController();
    const answer = await fetch(`${url}/v3/watch`, {
      method: 'POST',
      headers: { 'Grpc-Metadata-hasleader': 'true' },
      body: JSON.stringify({
        create_request: {
          key: btoa(PREFIX),
          range_end: btoa('/moovedge0'),
          start_revision: String(this.revision + 1),
        },
      }),
      signal: AbortSignal.any([this.#stop.signal, quiet.signal]),
    });
    let timer = setTimeout(() => quiet.abort(), SILENCE);
    let rest = '';
    try {
      for await (const bytes of answer.body!.pipeThrough(new TextDecoderStream())) {
        clearTimeout(timer);
        timer = setTimeout(() => quiet.abort(), SILENCE);
        const lines = (rest + bytes).split('\n');
        rest = lines.pop()!;
        for (const line of lines) this.#take(JSON.parse(line) as Message);
      }
    } finally {
      clearTimeout(timer);
    }
  }

  #take({ result }: Message): void {
    if (result?.canceled === true) throw new Error('the watch was ended');
    for (const { type, kv } of result?.events ?? []) {
      const revision = Number(kv.mod_revision);
      // One transaction may write several keys.
      if (revision < this.revision) continue;
      this.revision = revision;
      const key = atob(kv.key).slice(PREFIX.length);
      if (key !== 'leader' && key !== 'map') continue;
      const isRemoved = type === 'DELETE';
      const leader = key === 'leader' && !isRemoved ? (JSON.parse(atob(kv.value!)) as { id: string }).id : undefined;
      this.#stored.push({ revision, key, isRemoved, leader });
    }
  }
}
