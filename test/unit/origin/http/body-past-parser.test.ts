import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { after, before, test } from 'node:test';
import { setImmediate as tick } from 'node:timers/promises';
import fc from 'fast-check';
import { BLOCK_SIZE, blockLength, blockOf } from '../../../../src/base/block.js';
import type { BlockFill } from '../../../../src/cache/memory/memory-tier.js';
import { frameHead } from '../../../../src/origin/http/framed-head.js';
import type { TransportFailure } from '../../../../src/origin/http/transport-failure.js';
import { HttpClient } from '../../../../src/origin/http/undici-client.js';
import { idOf, TemporaryTier } from '../../cache/memory/temporary-tier.js';

/** What an exchange comes to. */
interface Outcome {
  readonly length: string | string[] | undefined;
  readonly body: string;
  /** `ended`, or how it failed. */
  readonly end: 'ended' | TransportFailure;
}

const tier = new TemporaryTier(64, { verify: 'always', fillShare: 1 });
let objects = 0;

/** Keeps a body in blocks, into which it has bytes received when it is asked for, and not told to refuse. */
class Kept {
  /** Bytes that have been received to where they lie. */
  received = 0;
  readonly #id = idOf(++objects);
  readonly #size: number;
  readonly #refuses: () => boolean;
  #fill: BlockFill | undefined;
  #position = 0;

  constructor(size: number, refuses: () => boolean) {
    this.#size = size;
    this.#refuses = refuses;
  }

  #filled(): BlockFill {
    const block = blockOf(this.#position);
    if (this.#position % BLOCK_SIZE === 0 || this.#fill === undefined) {
      this.#fill = tier.claim(this.#id, block, blockLength(this.#size, block)) as BlockFill;
    }
    return this.#fill;
  }

  receive(socket: number, most: number): Uint8Array | undefined {
    if (this.#refuses() || this.#position % BLOCK_SIZE === 0) return undefined;
    const chunk = this.#fill!.receive!(socket, most)!;
    this.received += chunk.length;
    return chunk;
  }

  append(chunk: Uint8Array): void {
    for (let at = 0; at < chunk.length; ) {
      const fill = this.#filled();
      const count = Math.min(chunk.length - at, fill.length - fill.watermark);
      fill.append(chunk.subarray(at, at + count));
      at += count;
      this.#position += count;
    }
  }

  /** All that has come, from whole blocks and what there is of one; their checksums are verified. */
  text(): string {
    let text = '';
    for (let block = 0; block * BLOCK_SIZE < this.#position; block++) {
      const readable = tier.acquire(this.#id, block);
      text += Buffer.from(tier.view(0, readable)).toString('latin1');
      tier.release();
    }
    if (this.#position < this.#size) this.#fill?.abandon(true);
    return text;
  }
}

/** How the server answers the next request: pieces that are written one by one, and whether it then hangs up. */
let pieces: readonly Buffer[] = [];
let hangsUp = false;
let connections = 0;
let server: Server;
let client: HttpClient;

before(async () => {
  server = createServer(socket => {
    connections++;
    socket.on('error', () => {}).setNoDelay();
    socket.on('data', () => void answer(socket));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  client = new HttpClient({ connections: 1, connectTimeout: 5000, keepAlive: 60_000, maxHeaderSize: 16384, tls: {} });
});
after(async () => {
  await client.close();
  server.close();
  tier.close();
});

async function answer(socket: Socket): Promise<void> {
  const ends = hangsUp;
  for (const piece of pieces) {
    await new Promise(written => socket.write(piece, written));
    // The other side reads it by itself.
    for (let i = 0; i < 3; i++) await tick();
  }
  if (ends) socket.end();
}

/**
 * @param pauses at each chunk, to go on in a later turn of the loop
 * @param kept where the body is kept; left out, it is copied out of the chunks
 */
function ask(pauses = false, kept?: Kept): Promise<Outcome> {
  const { port } = server.address() as AddressInfo;
  return new Promise(resolve => {
    let length: Outcome['length'];
    const chunks: Buffer[] = [];
    const over = (end: Outcome['end']) => {
      resolve({ length, body: kept?.text() ?? Buffer.concat(chunks).toString('latin1'), end });
    };
    const pause = () => {
      if (!pauses) return;
      exchange.pause();
      setImmediate(() => exchange.resume());
    };
    const exchange = client.send(
      `http://127.0.0.1:${port}`,
      '/',
      {},
      {
        sent() {},
        answered: (_, fields) => {
          length = fields['content-length'];
          pause();
        },
        bytes: chunk => {
          if (kept === undefined) chunks.push(Buffer.from(chunk));
          else kept.append(chunk);
          pause();
        },
        ...(kept === undefined ? {} : { receive: (socket, most) => kept.receive(socket, most) }),
        ended: () => over('ended'),
        failed: over,
      },
    );
  });
}

/** Cuts bytes at these shares of them. */
function cut(bytes: Buffer, shares: readonly number[]): Buffer[] {
  const at = [...new Set(shares.map(share => Math.floor(share * bytes.length)))].sort((a, b) => a - b);
  return [0, ...at].map((from, i) => bytes.subarray(from, at[i] ?? bytes.length)).filter(piece => piece.length > 0);
}

const name = fc.constantFrom('Content-Length', 'content-length', 'CONTENT-LENGTH');
const blank = fc.constantFrom('', ' ', '\t  ');
const field = fc.constantFrom(
  'X-A: Content-Length: 3',
  'Access-Control-Expose-Headers: Content-Length',
  'ETag: "a"',
  'X: ',
);
const interim = fc.constantFrom('', '', '', 'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n');
const head = fc.tuple(interim, name, blank, fc.array(field), fc.array(field), fc.constantFrom('', '0', '000'));

test('a body of known length comes whole, wherever the bytes of the connection are cut, one after the other', async () => {
  const body = fc.oneof(fc.integer({ min: 0, max: 40 }), fc.integer({ min: 4000, max: 5000 }), fc.constant(300_000));
  const cuts = fc.array(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), { maxLength: 5 });
  const status = fc.constantFrom(200, 206, 404);
  const before = connections;
  await fc.assert(
    fc.asyncProperty(head, status, body, cuts, fc.boolean(), async (parts, code, size, shares, pauses) => {
      const [early, field, before, first, last, zeros] = parts;
      const fields = [...first, `${field}:${before}${zeros}${size}`, ...last];
      const text = noise(size);
      pieces = cut(
        Buffer.from(`${early}HTTP/1.1 ${code} OK\r\n${fields.join('\r\n')}\r\n\r\n${text}`, 'latin1'),
        shares,
      );
      assert.deepEqual(await ask(pauses), { length: `${zeros}${size}`, body: text, end: 'ended' });
    }),
    { numRuns: 40 },
  );
  assert.equal(connections - before, 1, 'the connection was used again each time');
});

test('what ends early fails, what is too long ends and closes the connection, by the parser and past it', async () => {
  const size = 1000;
  for (const code of [200, 404]) {
    for (const [sent, connection] of [
      [999, 'keep-alive'],
      [0, 'keep-alive'],
      [999, 'close'],
      [0, 'close'],
    ] as const) {
      pieces = cut(message(code, size, noise(sent), connection), [0.5]);
      hangsUp = true;
      assert.deepEqual(await ask(), { length: '1000', body: noise(sent), end: 'reset' }, `${sent} ${connection}`);
    }
    hangsUp = false;
    const before = connections;
    for (const shares of [[], [0.1], [0.5], [0.99]]) {
      pieces = cut(message(code, size, noise(size + 10), 'keep-alive'), shares);
      const { body, end } = await ask();
      assert.deepEqual({ body, end }, { body: noise(size), end: 'ended' });
    }
    pieces = [message(code, size, noise(size), 'close')];
    assert.equal((await ask()).end, 'ended');
    assert.ok(connections - before >= 3, 'nothing is read of what follows a body');
  }
});

test('a body is received to where it is kept as far as its taker wants it, and breaks off as any other', async () => {
  const size = 2.5 * BLOCK_SIZE;
  const before = connections;
  let received = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: size }),
      fc.array(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), { maxLength: 3 }),
      fc.constantFrom('never', 'always', 'at times'),
      fc.boolean(),
      async (length, shares, refusing, pauses) => {
        let asked = 0;
        const kept = new Kept(length, () => refusing === 'always' || (refusing === 'at times' && ++asked % 2 === 0));
        pieces = cut(message(200, length, noise(length), 'keep-alive'), shares);
        assert.deepEqual(await ask(pauses, kept), { length: String(length), body: noise(length), end: 'ended' });
        received += kept.received;
      },
    ),
    { numRuns: 25 },
  );
  assert.equal(connections - before, 1, 'the connection was used again each time');
  assert.ok(received > size, `${received} bytes were received to where they are kept`);
  for (const sent of [size - 1, 20_000, BLOCK_SIZE]) {
    pieces = [message(200, size, noise(sent), 'keep-alive')];
    hangsUp = true;
    const kept = new Kept(size, () => false);
    assert.deepEqual(await ask(false, kept), { length: String(size), body: noise(sent), end: 'reset' });
    hangsUp = false;
  }
  pieces = [message(200, 100_000, noise(100_100), 'keep-alive')];
  assert.deepEqual(await ask(false, new Kept(100_000, () => false)), {
    length: '100000',
    body: noise(100_000),
    end: 'ended',
  });
});

test('only a plain head of a success with one length is framed, and then its length alone is changed', () => {
  const plain = 'HTTP/1.1 206 Partial Content\r\nA: b\r\nContent-Length: 0420\r\nC: d\r\n\r\nbody';
  const bytes = Buffer.from(plain);
  assert.deepEqual(frameHead(bytes), { size: plain.length - 4, bodySize: 420, bodySizeText: '0420' });
  assert.equal(bytes.toString(), plain.replace('0420', '0001'));
  for (const [what, by] of [
    ['206', '204'],
    ['206', '304'],
    ['206', '416'],
    ['HTTP', 'http'],
    ['\r\n\r\n', '\r\n'],
    ['A: b', 'Transfer-Encoding: chunked'],
    ['A: b', 'content-length: 420'],
    ['A: b', 'content-length : 420'],
    ['A: b', 'A: b\r\n folded'],
    ['A: b', 'A: b\nX: y'],
    ['A: b', 'A: b\rX: y'],
    ['0420', '0'],
    ['0420', ''],
    ['0420', '-1'],
    ['0420', '4 '],
    ['0420', '4, 4'],
    ['0420', '1234567890123456'],
    ['0420', '0x10'],
    ['Content-Length', 'Content-Type'],
  ] as const) {
    const other = Buffer.from(plain.replace(what, by));
    const before = other.toString();
    assert.equal(frameHead(other), undefined, by);
    assert.equal(other.toString(), before);
  }
});

function noise(size: number): string {
  return Array.from({ length: size }, (_, i) => String.fromCharCode(33 + ((i * 31 + (i >> 7)) % 90))).join('');
}

function message(status: number, size: number, body: string, connection: string): Buffer {
  return Buffer.from(`HTTP/1.1 ${status} A\r\nConnection: ${connection}\r\nContent-Length: ${size}\r\n\r\n${body}`);
}
