import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, describe, it } from 'node:test';
import fc from 'fast-check';
import { silentLog } from '../../../../src/base/log.js';
import { FlvReader } from '../../../../src/live/relay/flv-reader.js';
import type { PullSource } from '../../../../src/live/relay/pull.js';
import { Pulls } from '../../../../src/live/relay/pulls.js';
import { RingWriter } from '../../../../src/live/ring/ring-writer.js';
import { fileHeader, tagHeader, tagTrailer } from '../../../../src/media/flv/tag.js';
import { audio, video } from '../../../support/flv.js';
import { readRing } from '../../../support/live-edge.js';
import { until } from '../../../support/until.js';

const tag = (type: number, timestamp: number, data: Uint8Array) =>
  Buffer.concat([tagHeader(type, data.length, timestamp), data, tagTrailer(data.length)]);
const head = fileHeader(5);
const headers = Buffer.concat([tag(9, 0, video('config', 10, 1)), tag(8, 0, audio('config', 4, 1))]);
/** Pictures of 40 ms, each fifth a key frame, with sound. */
const frames = (from: number, to: number) => {
  const tags = [];
  for (let at = from; at < to; at++) {
    tags.push(tag(9, at * 40, video(at % 5 === 0 ? 'key' : 'inter', 50, at & 255)));
    tags.push(tag(8, at * 40 + 7, audio('frame', 9, at & 255)));
  }
  return Buffer.concat(tags);
};

describe('a reader of FLV', () => {
  it('finds the same tags however they are cut', () => {
    const bytes = Buffer.concat([head, headers, frames(0, 8)]);
    const read = (sizes: readonly number[]) => {
      const found: string[] = [];
      const reader = new FlvReader((type, time, body) => found.push(`${type} ${time} ${body.toString('hex')}`));
      for (let at = 0, turn = 0; at < bytes.length; turn++) {
        const end = at + sizes[turn % sizes.length]!;
        reader.push(bytes.subarray(at, end));
        at = end;
      }
      return found;
    };
    const whole = read([bytes.length]);
    assert.equal(whole.length, 2 + 16);
    const sizes = fc.array(fc.integer({ min: 1, max: 200 }), { minLength: 1 });
    fc.assert(fc.property(sizes, cuts => assert.deepEqual(read(cuts), whole)));
  });

  it('refuses what is no FLV, and what would take too much', () => {
    const reader = (bytes: Uint8Array) => new FlvReader(() => {}).push(Buffer.from(bytes));
    assert.throws(() => reader(Buffer.from('<html>not found</html>')), /expected FLV/);
    assert.throws(() => reader(Buffer.concat([head, Buffer.alloc(20, 0xff)])), /expected a tag/);
    assert.throws(() => reader(Buffer.concat([head, tagHeader(9, 0xfffff0, 0)])), /expected a tag/);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), noise => {
        try {
          reader(Buffer.concat([head, noise]));
        } catch (error) {
          assert.match((error as Error).message, /expected/);
        }
      }),
    );
  });
});

/** A server that has each stream, or none. */
class TestServer {
  readonly answers: ServerResponse[] = [];
  readonly fields: (string | undefined)[] = [];
  status = 200;
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
    server.on('request', (request, response: ServerResponse) => {
      this.fields.push(request.headers['cdn-loop'] as string | undefined);
      response.writeHead(this.status, { 'Content-Type': 'video/x-flv' });
      response.flushHeaders();
      if (this.status !== 200) response.end();
      else this.answers.push(response);
    });
  }

  static async start(): Promise<TestServer> {
    const server = createServer();
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
    return new TestServer(server);
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/`;
  }

  close(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }
}

/** @param sources servers to ask, where it is not that one alone */
function rigOf(
  server: TestServer,
  { linger = 60_000, grace = 60_000, silence = 60_000 } = {},
  sources?: (name: string) => readonly PullSource[],
) {
  const folder = mkdtempSync('/dev/shm/moovedge-pulls-');
  const missing: string[] = [];
  const make = () =>
    new Pulls({
      folder,
      sources: (name, via) => sources?.(name) ?? [{ url: `${server.url}${name}.flv`, fields: { 'cdn-loop': via } }],
      create: file => RingWriter.create(file, { bytes: 1 << 20, milliseconds: 8000 }),
      grace: () => grace,
      linger,
      times: { answer: 500, silence, retry: 20, settle: 20, settleMost: 200 },
      log: silentLog,
      changed: () => {},
      missing: name => missing.push(name),
    });
  return {
    pulls: make(),
    missing,
    make,
    ring() {
      return readRing(this.pulls.places[0]!.file);
    },
    close() {
      this.pulls.stop('end');
      rmSync(folder, { recursive: true });
      server.close();
    },
  };
}

describe('streams that are pulled', () => {
  const closing: { close(): void }[] = [];
  after(() => {
    for (const each of closing) each.close();
  });
  const start = async (times?: Parameters<typeof rigOf>[1]) => {
    const server = await TestServer.start();
    const rig = rigOf(server, times);
    closing.push(rig);
    return { server, rig };
  };
  const pictures = (tags: readonly { type: number; timestamp: number }[]) =>
    tags.filter(({ type }) => type === 9).map(({ timestamp }) => timestamp / 40);

  it('are one link for all who want them, go on behind what they have, and keep timestamps', async () => {
    const { server, rig } = await start();
    for (let at = 0; at < 3; at++) rig.pulls.want('app/one', 'edge-a');
    await until('the link', () => server.answers.length === 1);
    assert.deepEqual(server.fields, ['edge-a']);
    server.answers[0]!.write(Buffer.concat([head, headers, frames(100, 110)]));
    await until('the stream', () => rig.pulls.places.length === 1);
    await until('all of it', () => pictures(rig.ring().tags).at(-1) === 109);
    // It breaks within a tag, and begins again with what was there.
    server.answers[0]!.write(frames(110, 111).subarray(0, 20));
    server.answers[0]!.destroy();
    await until('another link', () => server.answers.length === 2);
    assert.equal(rig.ring().state, 'publishing', 'viewers wait');
    server.answers[1]!.write(Buffer.concat([head, headers, frames(105, 113)]));
    await until('what is new', () => pictures(rig.ring().tags).at(-1) === 112);
    assert.deepEqual(
      pictures(rig.ring().tags),
      Array.from({ length: 13 }, (_, at) => 100 + at),
    );
    // Another publisher, whose clock is far from that one.
    server.answers[1]!.destroy();
    await until('a third', () => server.answers.length === 3);
    server.answers[2]!.write(Buffer.concat([head, headers, frames(10_000, 10_003)]));
    await until('its pictures', () => pictures(rig.ring().tags).at(-1) === 10_002);
    server.answers[2]!.destroy();
    await until('a fourth', () => server.answers.length === 4);
    server.answers[3]!.write(Buffer.concat([head, headers, frames(0, 3)]));
    await until('a clock that begins anew', () => pictures(rig.ring().tags).at(-1) === 2);
  });

  it('are gone on with by the next process', async () => {
    const { server, rig } = await start();
    rig.pulls.want('app/left', '');
    await until('the link', () => server.answers.length === 1);
    server.answers[0]!.write(Buffer.concat([head, headers, frames(0, 10)]));
    await until('the stream', () => rig.pulls.places.length === 1);
    await until('all of it', () => pictures(rig.ring().tags).at(-1) === 9);
    const before = rig.pulls.places;
    rig.pulls.stop('leave');
    rig.pulls = rig.make();
    // How far it is from its publisher is not known before the next link.
    assert.deepEqual(
      rig.pulls.places,
      before.map(place => ({ ...place, level: undefined })),
    );
    await until('another link', () => server.answers.length === 2);
    server.answers[1]!.write(Buffer.concat([head, headers, frames(5, 17)]));
    await until('what is new', () => pictures(rig.ring().tags).at(-1) === 16);
    const found = pictures(rig.ring().tags);
    assert.equal(new Set(found).size, found.length);
  });

  it('end when nobody wants them (SRS 3158), and come again at once (SRS 2215), when the server has them no more, and when it is silent', async () => {
    const unwanted = await start({ linger: 300 });
    unwanted.rig.pulls.want('app/unwanted', '');
    await until('the link', () => unwanted.server.answers.length === 1);
    await until('its end', () => unwanted.server.answers[0]!.destroyed);
    assert.equal(unwanted.rig.pulls.places.length, 0);
    // Again at once.
    unwanted.rig.pulls.want('app/unwanted', '');
    await until('another link', () => unwanted.server.answers.length === 2);

    const silent = await start({ silence: 200, grace: 300 });
    silent.rig.pulls.want('app/silent', '');
    await until('the link', () => silent.server.answers.length === 1);
    silent.server.status = 404;
    silent.server.answers[0]!.write(Buffer.concat([head, headers, frames(0, 10)]));
    await until('the end of the link', () => silent.server.answers[0]!.destroyed);
    await until('the end', () => silent.rig.pulls.places.length === 0);
  });

  it('come from an edge that another one names which has no place, and elsewhere when that is lost', async () => {
    const [owner, full, parent] = [await TestServer.start(), await TestServer.start(), await TestServer.start()];
    owner.status = 503;
    full.status = 503;
    const levels = new Map([
      [owner, 0],
      [full, 1],
      [parent, 1],
    ]);
    const source = (server: TestServer, name: string): PullSource => ({
      url: `${server.url}${name}.flv`,
      fields: {},
      peer: server.url,
      levelOf: () => levels.get(server)!,
    });
    const rig = rigOf(owner, {}, name => [
      { ...source(owner, name), others: () => [source(full, name), source(parent, name)] },
    ]);
    closing.push(rig, full, parent);
    rig.pulls.want('app/hot', '');
    await until('the link', () => parent.answers.length === 1);
    assert.deepEqual([owner.fields.length, full.fields.length], [1, 1]);
    parent.answers[0]!.write(Buffer.concat([head, headers, frames(0, 5)]));
    await until('the stream', () => rig.pulls.places.length === 1);
    assert.deepEqual([rig.pulls.places[0]!.level, rig.pulls.stats[0]!.from], [2, parent.url]);
    // Its edge is gone, as the others know, before any connection tells.
    owner.status = 200;
    rig.pulls.lost('another edge');
    rig.pulls.lost(parent.url);
    await until('another link', () => owner.answers.length === 1);
    owner.answers[0]!.write(Buffer.concat([head, headers, frames(3, 9)]));
    await until('what is new', () => pictures(rig.ring().tags).at(-1) === 8);
    assert.equal(rig.pulls.places[0]!.level, 1);
    // The stream has moved: who has it from where it was leaves that, who has it from in between stays.
    rig.pulls.moved('app/hot', owner.url);
    assert.equal(owner.answers[0]!.destroyed, false);
    // From an edge that is two links away already nobody takes it.
    levels.set(parent, 2);
    owner.status = 503;
    owner.answers[0]!.destroy();
    const asked = parent.fields.length;
    await until('it is asked', () => parent.fields.length > asked + 1);
    assert.equal(rig.pulls.places[0]!.level, 1);
    levels.set(parent, 1);
    await until('its link', () => rig.pulls.places[0]!.level === 2);
  });

  it('are missing where a server says so, or sends something else', async () => {
    const { server, rig } = await start();
    server.status = 404;
    rig.pulls.want('app/none', '');
    await until('none', () => rig.missing.includes('app/none'));
    rig.pulls.want('no name', '');
    assert.ok(rig.missing.includes('no name'));
    server.status = 200;
    rig.pulls.want('app/noise', '');
    const noise = setInterval(() => {
      for (const answer of server.answers.splice(0)) answer.end('<html>moved</html>');
    }, 10);
    await until('given up', () => rig.missing.includes('app/noise'));
    clearInterval(noise);
    assert.equal(rig.pulls.places.length, 0);
  });
});
