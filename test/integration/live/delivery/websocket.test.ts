import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { selfSigned } from '../../../support/certificate.js';
import { complaints, MediaFolder } from '../../../support/ffmpeg.js';
import { ENGINES, listening, startEdge } from '../../../support/http-edge.js';
import { LiveRig, liveFilm, PacedPublisher } from '../../../support/live-rig.js';
import { frameOf, MessageViewer, OPCODE } from '../../../support/message-viewer.js';
import { until } from '../../../support/until.js';

/* Live streams by WebSocket over a real port. */

const SAMPLE = fileURLToPath(new URL('../../../../src/samples/keyframes.flv', import.meta.url));
const film = liveFilm(SAMPLE);
/** Bytes that no socket's buffers hold, in tags of pictures. */
const BIG = Buffer.alloc(60_000, 0x27);

const rig = new LiveRig({ batch: 20, slow: 400, disconnect: 60_000, grace: 2000 });
const strict = new LiveRig({ batch: 20, slow: 60_000, disconnect: 1500 });
const media = await MediaFolder.make();
const { cert, key } = selfSigned();
const tls = { cert: join(media.path, 'cert.pem'), key: join(media.path, 'key.pem') };
await Promise.all([writeFile(tls.cert, cert), writeFile(tls.key, key)]);
const { server: edge } = await startEdge({ live: rig.port });
const { server: strictEdge } = await startEdge({ live: strict.port });
const ports = await Promise.all(
  ENGINES.map(async engine => ({
    engine,
    plain: await edge.listen('127.0.0.1', 0, listening(engine)),
    secure: await edge.listen('127.0.0.1', 0, listening(engine, { tls })),
    strict: await strictEdge.listen('127.0.0.1', 0, listening(engine)),
  })),
);
const kinds = ports.flatMap(({ engine, plain, secure }) => [
  { kind: `ws over ${engine}`, port: plain, isSecure: false },
  { kind: `wss over ${engine}`, port: secure, isSecure: true },
]);
after(() => media.remove());

/** The tags of a viewer, each of which must be whole; pictures without their key frame count as broken. */
function tagsOf(bytes: Buffer): { type: number; timestamp: number; key: boolean }[] {
  assert.equal(bytes.toString('latin1', 0, 3), 'FLV');
  const tags = [];
  for (let at = 13; at < bytes.length; ) {
    const size = bytes.readUIntBE(at + 1, 3);
    assert.ok(at + 15 + size <= bytes.length, 'messages are whole tags');
    assert.equal(bytes.readUInt32BE(at + 11 + size), 11 + size);
    const timestamp = bytes.readUIntBE(at + 4, 3) + bytes[at + 7]! * 0x1000000;
    tags.push({ type: bytes[at]!, timestamp, key: bytes[at]! === 9 && bytes[at + 11]! >> 4 === 1 });
    at += 15 + size;
  }
  return tags;
}

/** An empty ping that is not masked (RFC 6455 section 5.1). */
const NO_MASK = Buffer.from([0x89, 0]);

describe('live streams by WebSocket', () => {
  for (const { kind, port, isSecure } of kinds) {
    const word = kind.replaceAll(' ', '-');
    const open = (name: string, more: { fields?: string[]; behind?: Buffer } = {}) =>
      MessageViewer.open(port, `/live/app/${name}.flv`, { ...more, secure: isSecure });

    it(`${kind}: are the same bytes as over HTTP, decode without a word, and end with a close frame`, async () => {
      const writer = rig.publish(`app/${word}`);
      const publisher = new PacedPublisher(writer, film);
      // A ping may come with the head, though it should not; of what is encrypted nobody sees where the head ends.
      const early = isSecure ? [] : ['with the head'];
      const behind = Buffer.concat(early.map(text => frameOf(OPCODE.ping, Buffer.from(text))));
      const viewer = await open(word, { behind });
      await until('frames', () => viewer.frames.length > 10);
      assert.match(viewer.head, new RegExp(`Sec-WebSocket-Accept: ${viewer.accept.replaceAll('+', '\\+')}`, 'i'));
      assert.equal(rig.viewing.stats.viewers.websocket, 1);
      viewer.send(OPCODE.ping, Buffer.from('hello'));
      viewer.send(OPCODE.text, Buffer.from('nobody listens'));
      await until('pongs', () => viewer.count(OPCODE.pong) > early.length);
      const pongs = viewer.frames.filter(({ opcode }) => opcode === OPCODE.pong).map(({ payload }) => String(payload));
      assert.deepEqual(pongs, [...early, 'hello']);
      publisher.stop();
      writer.close();
      rig.forget(`app/${word}`);
      await until('the end', () => viewer.ended);
      const last = viewer.frames.at(-1)!;
      assert.equal(last.opcode, OPCODE.close);
      assert.equal(last.payload.readUInt16BE(0), 1000);
      tagsOf(viewer.media);
      assert.equal(await complaints(await media.write(viewer.media, 'flv')), '');
      assert.equal(rig.viewing.stats.viewers.websocket, 0);
    });

    it(`${kind}: one that pauses, and sends pings all the while, loses whole groups and no frame is broken`, async () => {
      const name = `slow-${word}`;
      const writer = rig.publish(`app/${name}`);
      writer.setHeaders({ video: Buffer.from([0x17, 0, 0, 0, 0]), hasVideo: true, hasAudio: false });
      let time = 0;
      const publish = () => {
        const keyFrame = time % 400 === 0;
        const body = Buffer.concat([Buffer.from([keyFrame ? 0x17 : 0x27, 1]), BIG]);
        writer.append({ type: 9, timestamp: time, keyFrame, body: [body] });
        time += 40;
      };
      const timer = setInterval(publish, 20);
      publish();
      const { droppedFrames } = rig.viewing.stats;
      const slow = await open(name);
      const fast = await open(name);
      await until('bytes', () => slow.bytes > 0 && fast.bytes > 0);
      slow.socket.pause();
      const pings = setInterval(() => slow.send(OPCODE.ping, Buffer.from('still there')), 50);
      await until('lost tags', () => {
        // It reads a little now and then: messages are broken off at any byte.
        slow.socket.read(50_000);
        return rig.viewing.stats.droppedFrames > droppedFrames + 20;
      });
      clearInterval(pings);
      slow.socket.resume();
      const resumed = time;
      await until('two seconds more', () => time > resumed + 2000);
      clearInterval(timer);
      writer.close();
      rig.forget(`app/${name}`);
      await until('the end', () => fast.ended && slow.ended);
      assert.ok(slow.count(OPCODE.pong) > 0);
      const tags = tagsOf(slow.media).slice(1);
      const gaps = tags.filter(({ timestamp }, at) => at > 0 && timestamp - tags[at - 1]!.timestamp > 40);
      assert.ok(gaps.length > 0 && gaps.every(({ key }) => key), 'a key frame follows each gap');
      const all = tagsOf(fast.media).slice(1);
      assert.ok(all.every(({ timestamp }, at) => at === 0 || timestamp - all[at - 1]!.timestamp === 40));
    });

    const garbage: [string, Buffer][] = [
      ['a message larger than a kilobyte', frameOf(OPCODE.binary, Buffer.alloc(5000))],
      [
        'one that says it is huge',
        Buffer.from([0x82, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0]),
      ],
      ['reserved bits', Buffer.concat([Buffer.from([0xf2]), frameOf(OPCODE.binary, Buffer.alloc(10)).subarray(1)])],
      ['an unknown opcode', frameOf(11, Buffer.alloc(3))],
      ['a ping that is too long', frameOf(OPCODE.ping, Buffer.alloc(200))],
      ['a message without a mask', Buffer.from([0x82, 3, 1, 2, 3])],
      [
        'a ping without a mask, in the midst of others',
        Buffer.concat([frameOf(OPCODE.ping, Buffer.alloc(3)), NO_MASK]),
      ],
      ['a continuation of nothing', frameOf(OPCODE.continuation, Buffer.alloc(10))],
      ['HTTP', Buffer.from('GET / HTTP/1.1\r\nHost: edge\r\n\r\n')],
    ];
    it(`${kind}: who sends garbage is closed, and nobody else`, async () => {
      const name = `garbage-${word}`;
      const writer = rig.publish(`app/${name}`);
      const publisher = new PacedPublisher(writer, film);
      const stays = await open(name);
      for (const [what, bytes] of garbage) {
        const viewer = await open(name);
        await until('frames', () => viewer.frames.length > 0);
        viewer.socket.write(bytes);
        await until(what, () => viewer.ended);
      }
      const leaves = await open(name);
      await until('frames', () => leaves.frames.length > 0);
      leaves.send(OPCODE.close, Buffer.from([0x03, 0xe8]));
      await until('the answer to a close', () => leaves.ended);
      assert.equal(leaves.frames.at(-1)!.opcode, OPCODE.close);
      await until('one viewer', () => rig.viewing.stats.viewers.websocket === 1);
      assert.ok(!stays.ended);
      stays.socket.destroy();
      await until('nobody', () => rig.viewing.stats.viewers.websocket === 0);
      publisher.stop();
      writer.close();
      rig.forget(`app/${name}`);
    });
  }

  for (const { engine, plain, strict: strictPort } of ports) {
    it(`${engine}: cut who takes nothing, and nobody else`, async () => {
      const writer = strict.publish(`app/stalled-${engine}`);
      const publisher = new PacedPublisher(writer, film);
      const stays = await MessageViewer.open(strictPort, `/live/app/stalled-${engine}.flv`);
      const stalled = await MessageViewer.open(strictPort, `/live/app/stalled-${engine}.flv`);
      await until('bytes', () => stalled.bytes > 0);
      stalled.socket.pause();
      const before = strict.viewing.stats.disconnects.stalled;
      const fill = setInterval(() => writer.append({ type: 8, timestamp: 0, keyFrame: false, body: [BIG] }), 10);
      await until('the cut', () => strict.viewing.stats.disconnects.stalled > before);
      clearInterval(fill);
      assert.ok(!stays.ended);
      for (const { socket } of [stays, stalled]) socket.destroy();
      publisher.stop();
      await until('nobody', () => strict.viewing.stats.viewers.websocket === 0);
      writer.close();
      strict.forget(`app/stalled-${engine}`);
    });

    it(`${engine}: are refused where there is none, to other versions and to pages of elsewhere; others get HTTP`, async () => {
      const writer = rig.publish(`app/asked-${engine}`);
      const publisher = new PacedPublisher(writer, film);
      const ask = async (path: string, fields: string[], hasKey = true) => {
        const viewer = await MessageViewer.open(plain, path, { fields, hasKey });
        await until('a head', () => viewer.head !== '');
        viewer.socket.destroy();
        return viewer.head;
      };
      const usual = ['Upgrade: websocket', 'Connection: Upgrade'];
      const path = `/live/app/asked-${engine}.flv`;
      assert.match(await ask('/live/app/none.flv', [...usual, 'Sec-WebSocket-Version: 13']), /^HTTP\/1.1 404 /);
      const old = await ask(path, [...usual, 'Sec-WebSocket-Version: 8']);
      assert.match(old, /^HTTP\/1.1 426 /);
      assert.match(old, /Sec-WebSocket-Version: 13/i);
      const from = (origin: string) => ask(path, [...usual, 'Sec-WebSocket-Version: 13', `Origin: ${origin}`]);
      assert.match(await from('https://elsewhere.example'), /^HTTP\/1.1 403 /);
      assert.match(await from('https://edge'), /^HTTP\/1.1 101 /);
      assert.match(await ask(path, ['Sec-WebSocket-Version: 13']), /^HTTP\/1.1 200 /);
      assert.match(await ask(path, ['Upgrade: h2c', 'Connection: Upgrade']), /^HTTP\/1.1 200 /);
      const key = ['Sec-WebSocket-Version: 13', 'Sec-WebSocket-Key: c2hvcnQ='];
      assert.match(await ask(path, [...usual, ...key], false), /^HTTP\/1.1 400 /, 'a short key');
      await until('nobody', () => rig.viewing.stats.viewers.websocket === 0);
      publisher.stop();
      writer.close();
      rig.forget(`app/asked-${engine}`);
    });
  }
});
