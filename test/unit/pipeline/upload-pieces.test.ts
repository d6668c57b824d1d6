import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { describe, it } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import fc from 'fast-check';
import { silentLog } from '../../../src/base/log.js';
import { manifestKey, uploadPrefix } from '../../../src/pipeline/storage/layout.js';
import { PieceStore } from '../../../src/pipeline/upload/piece-store.js';
import { ERRORS, Upload } from '../../../src/pipeline/upload/tus.js';
import { beyond, NOTHING, PIECE_SIZE, UploadPieces } from '../../../src/pipeline/upload/upload-pieces.js';
import { type Damage, LazyMemoryStorage, MemoryStorage } from '../../support/memory-storage.js';
import { sealed } from '../../support/stored-upload.js';
import { until } from '../../support/until.js';

const ID = '0123456789abcdef0123456789abcdef';
const CHUNK = 64 * 1024;

function storeOver(storage: MemoryStorage): PieceStore & { readonly finished: string[] } {
  const finished: string[] = [];
  const options = {
    storage,
    expire: 3_600_000,
    log: silentLog,
    finished: async (id: string) => void finished.push(id),
    removed: async () => {},
  };
  return Object.assign(new PieceStore(options), { finished });
}

async function read(storage: MemoryStorage, size: number): Promise<Buffer> {
  const pieces = new UploadPieces(storage, ID, size);
  const read: Buffer[] = [];
  for await (const { bytes } of pieces.bytes()) read.push(bytes);
  return Buffer.concat(read);
}

/** Bytes as a connection brings them. */
function chunksOf(bytes: Buffer): Buffer[] {
  const count = Math.ceil(bytes.length / CHUNK);
  return Array.from({ length: count }, (_, i) => bytes.subarray(i * CHUNK, (i + 1) * CHUNK));
}

describe('an upload in pieces', () => {
  it('is the bytes that were sent, whatever requests they came in and whoever took them', async () => {
    const lengths = fc.array(fc.integer({ min: 40_000, max: 3_000_000 }), { minLength: 1, maxLength: 8 });
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 6_000_000 }), lengths, async (size, requests) => {
        const storage = new MemoryStorage();
        const bytes = randomBytes(size);
        await storeOver(storage).create(new Upload({ id: ID, size, offset: 0 }));
        for (let request = 0; ; request++) {
          // Each request meets a server that knows nothing of those before.
          const store = storeOver(storage);
          const { offset } = await store.getUpload(ID);
          if (offset === size) break;
          const body = bytes.subarray(offset, offset + requests[request % requests.length]!);
          assert.equal(await store.write(Readable.from([body]), ID, offset), offset + body.length);
        }
        assert.deepEqual(await read(storage, size), bytes);
        assert.ok(storage.objects.has(manifestKey(ID)));
        assert.ok(storage.written <= size * 1.05 + 4096, `${storage.written} bytes written for ${size}`);
      }),
      { numRuns: 15 },
    );
  });

  it('loses nothing that was told to be stored, and at most a piece, when a server dies at any write', async () => {
    const size = 3 * PIECE_SIZE + 12_345;
    const bytes = randomBytes(size);
    for (let death = 0; death < 9; death++) {
      const storage = new MemoryStorage();
      await storeOver(storage).create(new Upload({ id: ID, size, offset: 0 }));
      let left = death;
      storage.beforePut = () => {
        if (left-- === 0) throw new Error('dead');
      };
      let told = 0;
      for (let requests = 0; requests < 20; requests++) {
        const store = storeOver(storage);
        const { offset } = await store.getUpload(ID);
        assert.ok(offset >= told, `the offset fell from ${told} to ${offset}`);
        told = offset;
        if (offset === size && storage.objects.has(manifestKey(ID))) break;
        const body = bytes.subarray(offset, offset + PIECE_SIZE + 100_000);
        const end = await store.write(Readable.from([body]), ID, offset).catch(() => undefined);
        if (end !== undefined) told = end;
        else
          assert.ok(body.length - ((await storeOver(storage).getUpload(ID)).offset - offset) <= PIECE_SIZE + 100_000);
      }
      assert.deepEqual(await read(storage, size), bytes);
    }
  });

  it('loses nothing that was told to be stored when a machine fails, whatever becomes of what was not durable', async () => {
    const damages = fc.array(fc.constantFrom<Damage>('lost', 'cut', 'zeros', 'kept'), { minLength: 1, maxLength: 9 });
    const failures = fc.array(fc.record({ after: fc.nat(15), damages }), { minLength: 1, maxLength: 6 });
    const requests = fc.array(fc.integer({ min: 100_000, max: 12 * PIECE_SIZE }), { minLength: 1, maxLength: 4 });
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 20 * PIECE_SIZE }),
        requests,
        failures,
        async (size, lengths, plan) => {
          const storage = new LazyMemoryStorage();
          const bytes = Buffer.alloc(size, randomBytes(104_729));
          await storeOver(storage).create(new Upload({ id: ID, size, offset: 0 }));
          let told = 0;
          for (let turn = 0; told < size; turn++) {
            const { after, damages } = plan[turn] ?? { after: Number.POSITIVE_INFINITY, damages: [] };
            let left = after;
            const pass = () => {
              if (left-- <= 0) throw new Error('the power is off');
            };
            storage.beforePut = pass;
            storage.beforeFlush = pass;
            const store = storeOver(storage);
            try {
              const { offset } = await store.getUpload(ID);
              assert.ok(offset >= told, `the offset fell from ${told} to ${offset}`);
              told = offset;
              if (offset === size) break;
              const body = bytes.subarray(offset, offset + lengths[turn % lengths.length]!);
              told = await store.write(Readable.from(chunksOf(body)), ID, offset);
            } catch (error) {
              // A short piece that nobody was told of may lie behind what was lost: its client goes on from there.
              if (error !== ERRORS.ERR_LOCK_TIMEOUT) assert.match(String(error), /the power is off/);
            }
            let object = 0;
            storage.fail(() => damages[object++ % damages.length] ?? 'kept');
          }
          assert.ok((await read(storage, size)).equals(bytes));
        },
      ),
      { numRuns: 25 },
    );
  });

  it('is looked at where a machine that failed may have lost of it, however much came behind that', async () => {
    const storage = new LazyMemoryStorage();
    const size = 120 * PIECE_SIZE;
    const store = storeOver(storage);
    await store.create(new Upload({ id: ID, size, offset: 0 }));
    // Of the second flush on none ends: what is stored meanwhile waits for it.
    let flushes = 0;
    const { flush } = storage.lazy;
    storage.lazy.flush = keys => (flushes++ === 0 ? flush(keys) : new Promise(() => {}));
    const body = new Readable({ read() {} });
    const chunk = randomBytes(PIECE_SIZE);
    for (let i = 0; i < 120; i++) body.push(chunk);
    void store.write(body, ID, 0);
    const stored = () => [...storage.objects.keys()].filter(key => key.includes('-')).length;
    await until('three times as many pieces as are flushed at once', () => stored() === 96);
    await setImmediate();
    assert.equal(stored(), 96);
    storage.lazy.flush = flush;
    let object = 0;
    storage.fail(() => (object++ === 0 ? 'zeros' : 'kept'));
    assert.equal((await new UploadPieces(storage, ID, size).end()).offset, 32 * PIECE_SIZE);
  });

  it('is finished by whoever looks, when the server died after the last byte', async () => {
    const storage = new MemoryStorage();
    const size = 1000;
    await storeOver(storage).create(new Upload({ id: ID, size, offset: 0 }));
    storage.beforePut = key => {
      if (key === manifestKey(ID)) throw new Error('dead');
    };
    await assert.rejects(storeOver(storage).write(Readable.from([randomBytes(size)]), ID, 0), /dead/);
    storage.beforePut = () => {};
    const store = storeOver(storage);
    assert.equal((await store.getUpload(ID)).offset, size);
    assert.deepEqual(store.finished, [ID]);
    assert.ok(storage.objects.has(manifestKey(ID)));
  });

  it('tells damage of a stored piece', async () => {
    const storage = new MemoryStorage();
    const pieces = new UploadPieces(storage, ID, 10);
    await pieces.put(NOTHING, sealed(randomBytes(10)));
    const stored = storage.objects.get(`${uploadPrefix(ID)}0-10`)!;
    stored[3]! ^= 1;
    await assert.rejects(read(storage, 10), /expected the piece at 0 as it was stored/);
  });

  it('is read on while a piece is being stored, by one piece and no more', async () => {
    const storage = new MemoryStorage();
    const size = 5 * PIECE_SIZE;
    const bytes = randomBytes(size);
    const store = storeOver(storage);
    await store.create(new Upload({ id: ID, size, offset: 0 }));
    let open = () => {};
    const gate = new Promise<void>(resolve => {
      open = resolve;
    });
    const put = storage.put.bind(storage);
    storage.put = async (key, piece, options) => {
      await gate;
      return await put(key, piece, options);
    };
    let taken = 0;
    const body = new Readable({
      highWaterMark: 1,
      read() {
        this.push(taken < size ? bytes.subarray(taken, taken + CHUNK) : null);
        taken += CHUNK;
      },
    });
    const end = store.write(body, ID, 0);
    await until('the second piece to be read', () => body.isPaused());
    await setImmediate();
    assert.ok(taken >= 2 * PIECE_SIZE && taken <= 2 * PIECE_SIZE + 2 * CHUNK, `${taken} bytes were read`);
    assert.ok(taken <= 1024 * 1024);
    open();
    assert.equal(await end, size);
    assert.deepEqual(await read(storage, size), bytes);
  });

  it('is not read to its end when it can’t be stored', async () => {
    const storage = new MemoryStorage();
    const store = storeOver(storage);
    await store.create(new Upload({ id: ID, size: 9 * PIECE_SIZE, offset: 0 }));
    storage.beforePut = key => {
      if (key.includes(`/${PIECE_SIZE}-`)) throw new Error('full');
    };
    // The client sends two pieces, and then nothing for as long as it likes.
    const body = new Readable({ read() {} });
    body.push(randomBytes(2 * PIECE_SIZE + 1000));
    await assert.rejects(store.write(body, ID, 0), /full/);
    assert.equal((await storeOver(storage).getUpload(ID)).offset, PIECE_SIZE);
  });

  it('refuses clients that send a few bytes a request', async () => {
    const storage = new MemoryStorage();
    const pieces = new UploadPieces(storage, ID, PIECE_SIZE);
    const send = async () => {
      for (let at = NOTHING; ; at = beyond(at, 1)) await pieces.put(at, sealed(Buffer.from('a')));
    };
    await assert.rejects(send(), /expected requests of at least 6656 bytes/);
    assert.equal(storage.looks, 0, 'a piece was looked for to store another');
    assert.equal((await pieces.end()).offset, 64);
  });

  it('never falls back and is whole, when servers store pieces of one upload in whatever order', async () => {
    // Two servers that know nothing of each other, each with a request of its own for the same place.
    const turns = fc.array(
      fc.record({ server: fc.nat(1), length: fc.integer({ min: 20_000, max: 1_500_000 }), late: fc.boolean() }),
      { minLength: 4, maxLength: 24 },
    );
    await fc.assert(
      fc.asyncProperty(turns, async plan => {
        const storage = new MemoryStorage();
        const size = 2 * PIECE_SIZE + 300_000;
        const bytes = randomBytes(size);
        const servers = [storeOver(storage), storeOver(storage)];
        await servers[0]!.create(new Upload({ id: ID, size, offset: 0 }));
        let told = 0;
        const send = async (server: number, offset: number, length: number) => {
          const body = Readable.from([bytes.subarray(offset, offset + length)]);
          const end = await servers[server]!.write(body, ID, offset).catch(() => undefined);
          told = Math.max(told, end ?? 0);
        };
        for (const { server, length, late } of plan) {
          const { offset } = await servers[server]!.getUpload(ID);
          assert.ok(offset >= told, `the offset fell from ${told} to ${offset}`);
          if (offset === size) break;
          // The other's bytes for the same place come at the same time, or when this one has been stored.
          const both = [send(server, offset, length), send(1 - server, offset, Math.ceil(length / 2))];
          if (late) await both[0];
          await Promise.all(both);
        }
        for (;;) {
          const { offset } = await storeOver(storage).getUpload(ID);
          assert.ok(offset >= told, `the offset fell from ${told} to ${offset}`);
          if (offset === size) break;
          await send(0, offset, size);
        }
        assert.deepEqual(await read(storage, size), bytes);
      }),
      { numRuns: 40 },
    );
  });
});
