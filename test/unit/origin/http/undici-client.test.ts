import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { after, before, beforeEach, test } from 'node:test';
import { setTimeout as sleep, setImmediate as tick } from 'node:timers/promises';
import type { ExchangeSink, OriginExchange } from '../../../../src/origin/http/origin-exchange.js';
import type { TransportFailure } from '../../../../src/origin/http/transport-failure.js';
import { HttpClient } from '../../../../src/origin/http/undici-client.js';
import { selfSigned } from '../../../support/certificate.js';
import { ContentVerifier } from '../../../support/content.js';
import { type Fault, FaultOrigin, faults } from '../../../support/fault-origin.js';

const OPTIONS = { connections: 8, connectTimeout: 1000, keepAlive: 4000, maxHeaderSize: 16384, tls: {} };

/** Notes what an exchange says, and checks the bytes. */
class Notes implements ExchangeSink {
  readonly verifier: ContentVerifier;
  status = 0;
  fields: Readonly<Record<string, string | string[] | undefined>> = {};
  whole = false;
  kind: TransportFailure | undefined;
  /** Pauses at the first byte. */
  pauseAtHead = false;
  exchange: OriginExchange | undefined;
  /** Called with each chunk. */
  busy = () => {};
  #settle: () => void = () => {};
  readonly settled = new Promise<void>(resolve => {
    this.#settle = resolve;
  });
  #headed: () => void = () => {};
  readonly headed = new Promise<void>(resolve => {
    this.#headed = resolve;
  });

  constructor(path: string, offset = 0) {
    this.verifier = new ContentVerifier(path, 'v1', offset);
  }
  get over(): boolean {
    return this.whole || this.kind !== undefined;
  }
  sent(): void {}
  answered(status: number, fields: Readonly<Record<string, string | string[] | undefined>>): void {
    assert.ok(!this.over);
    this.status = status;
    this.fields = fields;
    if (this.pauseAtHead) this.exchange!.pause();
    this.#headed();
  }
  bytes(chunk: Uint8Array): void {
    assert.ok(!this.over);
    this.verifier.push(chunk);
    this.busy();
  }
  ended(): void {
    assert.ok(!this.over);
    this.whole = true;
    this.#settle();
  }
  failed(kind: TransportFailure): void {
    assert.ok(!this.over);
    this.kind = kind;
    this.#settle();
  }
}

let origin: FaultOrigin;
let client: HttpClient;
before(async () => {
  origin = await FaultOrigin.start();
  client = new HttpClient(OPTIONS);
});
after(async () => {
  await client.close();
  await origin.close();
});
beforeEach(() => {
  origin.heal();
  origin.forget();
  origin.put('/f', { size: 5_000_000 });
});

function send(prepare: (notes: Notes) => void = () => {}, path = '/f'): Notes {
  const notes = new Notes(path);
  prepare(notes);
  notes.exchange = client.send(origin.url, path, {}, notes);
  return notes;
}

/** Bytes have stopped coming. */
async function quiet(notes: Notes): Promise<number> {
  for (let seen = -1; seen !== notes.verifier.offset; ) {
    seen = notes.verifier.offset;
    for (let i = 0; i < 20; i++) await tick();
  }
  return notes.verifier.offset;
}

test('brings a whole body and reuses the connection', async () => {
  const before = origin.connections;
  for (let i = 0; i < 5; i++) {
    const notes = send();
    await notes.settled;
    assert.equal(notes.whole, true);
    assert.equal(notes.verifier.offset, 5_000_000);
    await tick();
  }
  assert.equal(origin.connections, before + 1);
});

test('pause holds bytes back at once and fills the window; resume goes on', async () => {
  origin.put('/f', { size: 60_000_000 });
  const notes = send(n => {
    n.pauseAtHead = true;
  });
  await notes.headed;
  await quiet(notes);
  assert.equal(notes.verifier.offset, 0, 'nothing comes after a pause, not even what came with the head');
  assert.ok(origin.requests[0]!.bytes < 30_000_000, `the origin can't send on, but sent ${origin.requests[0]!.bytes}`);
  notes.exchange!.resume();
  assert.equal(notes.verifier.offset, 0, 'not from within resume');
  while (notes.verifier.offset === 0) await tick();
  notes.exchange!.pause();
  const at = notes.verifier.offset;
  await quiet(notes);
  assert.equal(notes.verifier.offset, at);
  notes.exchange!.resume();
  notes.exchange!.pause();
  notes.exchange!.resume();
  await notes.settled;
  assert.equal(notes.whole, true);
  assert.equal(notes.verifier.offset, 60_000_000);
});

test('a head that comes in two reads keeps its first fields, whatever is read on other connections in between', async () => {
  const headers = Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`X-Mark-${i}`, `${i}`.repeat(20)]));
  origin.put('/split', { size: 1000, headers });
  const whole = send(() => {}, '/split');
  await whole.settled;
  origin.fault(faults.stall('within-head'), { path: '/split' });
  const split = send(() => {}, '/split');
  await origin.requested(2);
  for (let i = 0; i < 3; i++) await send().settled;
  assert.equal(split.status, 0);
  origin.release();
  await split.settled;
  assert.equal(split.whole, true);
  assert.deepEqual(split.fields, whole.fields);
});

test('a body that fits in one read and is paused at its head ends after resume, and frees the connection meanwhile', async () => {
  origin.put('/small', { size: 100 });
  const notes = send(n => {
    n.pauseAtHead = true;
  }, '/small');
  await notes.headed;
  const other = send(() => {}, '/small');
  await other.settled;
  assert.equal(other.whole, true);
  assert.equal(notes.whole, false);
  notes.exchange!.resume();
  await notes.settled;
  assert.equal(notes.whole, true);
  assert.equal(notes.verifier.offset, 100);
});

// A peer that goes away while its answer is paused, with every framing: what undici's own pausing turns into a crash of
// the process.
const close: Fault = plan => {
  plan.close = true;
};
for (const [framing, frame] of Object.entries({
  'keep-alive': (() => {}) as Fault,
  'connection: close': close,
  'until close': faults.untilClose(),
  chunked: faults.chunked(),
})) {
  for (const end of ['reset', 'cut'] as const) {
    test(`paused, then ${end} in the middle, ${framing}`, async () => {
      origin.fault(frame);
      origin.fault(faults.stall(30_000));
      origin.fault(faults[end](30_000));
      const notes = send(n => {
        n.pauseAtHead = true;
      });
      await notes.headed;
      origin.release();
      await origin.settled();
      await quiet(notes);
      notes.exchange!.resume();
      await notes.settled;
      // Nobody can tell that a body without any length was cut in order.
      if (framing === 'until close' && end === 'cut') assert.equal(notes.whole, true);
      else assert.equal(notes.kind, 'reset');
      const next = send(() => {}, '/f?next');
      await next.settled;
      assert.ok(next.over, 'the client goes on working');
    });
    test(`${end} in the middle, ${framing}`, async () => {
      origin.fault(frame);
      // A reset that comes together with the last bytes is an orderly end to libuv.
      origin.fault(faults.stall(30_000, 30));
      origin.fault(faults[end](30_000));
      const notes = send();
      await notes.settled;
      if (framing === 'until close' && end === 'cut') assert.equal(notes.whole, true);
      else assert.equal(notes.kind, 'reset');
    });
  }
}

test('cancel is silent at every moment and leaves no request behind', async () => {
  origin.put('/f', { size: 60_000_000 });
  const early = send();
  early.exchange!.cancel();
  const sent = send();
  await tick();
  sent.exchange!.cancel();
  const paused = send(n => {
    n.pauseAtHead = true;
  });
  await paused.headed;
  paused.exchange!.cancel();
  paused.exchange!.resume();
  const within = send();
  within.bytes = () => within.exchange!.cancel();
  await within.headed;
  await origin.settled();
  await quiet(within);
  for (const notes of [early, sent, paused, within]) assert.equal(notes.over, false);
});

test('drain keeps the connection when little is left, and drops it when much is', async () => {
  origin.put('/small', { size: 100 });
  const before = origin.connections;
  for (const path of ['/small', '/small', '/f', '/small']) {
    const notes = new Notes(path);
    notes.answered = () => notes.exchange!.drain(1000, 1000);
    notes.exchange = client.send(origin.url, path, {}, notes);
    await origin.requested(origin.requests.length + 1);
    await origin.settled();
    await quiet(notes);
    assert.equal(notes.over, false);
  }
  assert.ok(origin.connections - before <= 2, `${origin.connections - before} connections`);
});

test('interim answers are passed over, whatever pieces they come in, and whatever a body begins with', async () => {
  const interim = 'HTTP/1.1 100 Continue\r\n\r\n';
  const hint = 'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n';
  const chunked = `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${interim.length.toString(16)}\r\n`;
  const cases: readonly (readonly string[])[] = [
    [`${interim}`, chunked, interim, '\r\n0\r\n\r\n'],
    [`${interim}${chunked}${interim}\r\n0\r\n\r\n`],
    [`${hint}${interim}${interim}${hint}`, `${chunked}${interim}\r\n0\r\n\r\n`],
    [`HTTP/1.1 200 OK\r\nContent-Length: ${interim.length}\r\n\r\n`, interim],
  ];
  let pieces: readonly string[] = [];
  const server = createServer(socket => {
    socket.on('error', () => {}).setNoDelay();
    socket.on('data', async () => {
      for (const piece of pieces) {
        await new Promise(written => socket.write(piece, written));
        await sleep(20);
      }
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const interimClient = new HttpClient(OPTIONS);
  const { port } = server.address() as AddressInfo;
  for (pieces of cases) {
    const body = await new Promise<string>((resolve, reject) => {
      const chunks: Buffer[] = [];
      interimClient.send(
        `http://127.0.0.1:${port}`,
        '/',
        {},
        {
          sent() {},
          answered: status => assert.equal(status, 200),
          bytes: chunk => void chunks.push(Buffer.from(chunk)),
          ended: () => resolve(Buffer.concat(chunks).toString()),
          failed: (_, cause) => reject(cause),
        },
      );
    });
    assert.equal(body, interim);
  }
  await interimClient.close();
  server.close();
});

test('failures are told apart', async () => {
  const kinds: [Fault, TransportFailure][] = [
    [faults.reset('head'), 'reset'],
    [faults.cut('head'), 'reset'],
    [faults.reset('within-head'), 'reset'],
    [faults.short(1), 'reset'],
    [faults.unterminated(), 'reset'],
    [faults.hugeHeader(20_000), 'protocol'],
    [faults.manyHeaders(2_000), 'protocol'],
    [faults.rawHead('HTTP/1.1 two hundred\r\n\r\n'), 'protocol'],
    [faults.rawHead('SSH-2.0-OpenSSH_9.2\r\n\r\n'), 'protocol'],
    [faults.rawHead('HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n'), 'protocol'],
    [faults.rawHead('HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n'), 'protocol'],
    [faults.rawHead('HTTP/1.1 200 OK\r\nX: a\0b\r\n\r\n'), 'protocol'],
    [faults.rawHead('HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n'), 'protocol'],
  ];
  for (const [fault, kind] of kinds) {
    origin.heal();
    origin.fault(fault, { times: 1 });
    const notes = send();
    await notes.settled;
    assert.equal(notes.kind, kind, JSON.stringify(origin.requests.at(-1)));
  }
  await origin.refuse();
  const refused = send();
  await refused.settled;
  assert.equal(refused.kind, 'connect');
  await origin.accept();
});

test('a connection that is never answered times out, and TLS is checked', async () => {
  const certificate = selfSigned();
  const secure = await FaultOrigin.start({ tls: certificate });
  secure.put('/f', { size: 100_000 });
  for (const [tls, outcome, servername] of [
    [{}, 'tls'],
    [{ ca: certificate.cert }, undefined],
    [{ insecure: true }, undefined],
    [{ ca: certificate.cert }, 'tls', 'elsewhere.test'],
    [{ ca: certificate.cert }, undefined, 'localhost'],
  ] as const) {
    const own = new HttpClient({ ...OPTIONS, tls });
    const notes = new Notes('/f');
    notes.exchange = own.send(secure.url, '/f', {}, notes, servername);
    await notes.settled;
    assert.equal(notes.kind, outcome);
    await own.close();
  }
  await secure.close();
  // A TLS handshake that the other side never begins.
  const sockets: Socket[] = [];
  const silent = createServer(socket => sockets.push(socket)).listen(0, '127.0.0.1');
  await once(silent, 'listening');
  const own = new HttpClient({ ...OPTIONS, connectTimeout: 50 });
  const notes = new Notes('/f');
  own.send(`https://127.0.0.1:${(silent.address() as { port: number }).port}`, '/f', {}, notes);
  await notes.settled;
  assert.equal(notes.kind, 'connect_timeout');
  await own.close();
  for (const socket of sockets) socket.destroy();
  silent.close();
});

test('close breaks off what is under way', async () => {
  const own = new HttpClient(OPTIONS);
  origin.fault(faults.stall(1000));
  const notes = new Notes('/f');
  own.send(origin.url, '/f', {}, notes);
  await notes.headed;
  await own.close();
  await notes.settled;
  assert.equal(notes.kind, 'closed');
  const late = new Notes('/f');
  own.send(origin.url, '/f', {}, late);
  await late.settled;
  assert.equal(late.kind, 'closed');
});

test('many answers that come at once are read over several turns of the loop, each whole', async () => {
  origin.put('/small', { size: 600_000 });
  let inTurn = 0;
  let most = 0;
  const all = Array.from({ length: 16 }, () =>
    send(notes => {
      notes.busy = () => {
        most = Math.max(most, ++inTurn);
        for (const start = performance.now(); performance.now() - start < 3; );
      };
    }, '/small'),
  );
  while (all.some(notes => !notes.over)) {
    await tick();
    inTurn = 0;
  }
  for (const notes of all) {
    assert.ok(notes.whole);
    assert.equal(notes.verifier.offset, 600_000);
  }
  assert.ok(most <= 6, `${most} chunks in one turn`);
});
