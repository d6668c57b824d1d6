import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EdgeError } from '../../../src/base/errors.js';
import type { BlockReader } from '../../../src/cache/read/block-reader.js';
import type { OpenStream, StreamSink } from '../../../src/catalog/content.js';
import type { AccessEntry } from '../../../src/observe/access-entry.js';
import { contentAt } from '../../support/content.js';
import { FakeObject } from '../../support/fake-content.js';
import { ENGINES, type Engine, listening, startEdge } from '../../support/http-edge.js';
import { fetchRaw, RawConnection } from '../../support/raw-http.js';
import { until } from '../../support/until.js';

const bytes = contentAt('/film.mp4', 'v1', 0, 700_000);

async function filmEdge(engine: Engine, options: Parameters<typeof startEdge>[0] = {}) {
  const edge = await startEdge(options, listening(engine));
  const film = new FakeObject(bytes);
  edge.content.paths.set('/film.mp4', film);
  return { ...edge, film, connect: () => RawConnection.open(edge.port) };
}

for (const engine of ENGINES)
  test(`one connection carries many requests, of every kind: ${engine}`, async () => {
    const { connect, server, film } = await filmEdge(engine);
    const connection = await connect();
    for (let round = 0; round < 3; round++) {
      assert.deepEqual((await connection.request('GET', '/film.mp4').answer()).body, bytes);
      assert.equal((await connection.request('HEAD', '/film.mp4').answer('HEAD')).status, 200);
      assert.equal(
        (await connection.request('GET', '/film.mp4', { Range: 'bytes=5-' }).answer()).body.length,
        bytes.length - 5,
      );
      assert.equal((await connection.request('GET', '/film.mp4', { 'If-None-Match': '*' }).answer()).status, 304);
      assert.equal((await connection.request('GET', '/none').answer()).status, 404);
      assert.equal((await connection.request('HEAD', '/none').answer('HEAD')).status, 404);
      assert.equal((await connection.request('OPTIONS', '/film.mp4').answer()).status, 204);
      assert.equal((await connection.request('PUT', '/film.mp4', { 'Content-Length': '0' }).answer()).status, 405);
      film.available = 300_000;
      connection.request('GET', '/film.mp4', { Range: 'bytes=299990-' });
      await until('the rest is wanted', () => film.wants.length > round);
      film.available = Infinity;
      assert.deepEqual((await connection.answer()).body, bytes.subarray(299_990));
    }
    assert.equal(server.stats.openConnections, 1);
    connection.socket.destroy();
    await until('the connection is gone', () => server.stats.openConnections === 0);
    assert.equal(server.stats.openResponses, 0);
    assert.deepEqual(film.faults, []);
  });

for (const engine of ENGINES)
  test(`connections are counted: ${engine}`, async () => {
    const { connect, server } = await filmEdge(engine);
    const connections = await Promise.all(Array.from({ length: 20 }, connect));
    await until('twenty connections', () => server.stats.openConnections === 20);
    for (const { socket } of connections) socket.destroy();
    await until('none', () => server.stats.openConnections === 0);
  });

for (const engine of ENGINES)
  test(`players that leave in the middle of much that is sent are let go at once: ${engine}`, async () => {
    const { content, server, port } = await startEdge({}, listening(engine));
    content.paths.set('/film.mp4', new FakeObject(contentAt('/film.mp4', 'v1', 0, 16_000_000)));
    const connections = await Promise.all(Array.from({ length: 64 }, () => RawConnection.open(port)));
    for (const connection of connections) {
      connection.request('GET', '/film.mp4');
      connection.socket.on('data', () => {});
    }
    await until('all are being answered', () => server.stats.responseBytes > 64 * 200_000);
    for (const { socket } of connections) socket.destroy();
    await until('none is left', () => server.stats.openConnections === 0);
    assert.equal(server.stats.openResponses, 0);
  });

for (const engine of ENGINES)
  test(`pipelined requests whose answers are at hand are answered in order: ${engine}`, async () => {
    const { connect } = await filmEdge(engine);
    const connection = await connect();
    const ranges = [
      [0, 9],
      [262_140, 262_150],
      [100, 100],
    ] as const;
    for (const [first, last] of ranges) connection.request('GET', '/film.mp4', { Range: `bytes=${first}-${last}` });
    for (const [first, last] of ranges)
      assert.deepEqual((await connection.answer()).body, bytes.subarray(first, last + 1));
    connection.socket.destroy();
  });

for (const engine of ENGINES)
  for (const when of ['with the first', 'later'] as const) {
    test(`requests pipelined ${when} behind an answer under way wait for its end: ${engine}`, async () => {
      const { connect, film, server } = await filmEdge(engine);
      film.available = 1000;
      const connection = await connect();
      const request = (first: number) => `GET /film.mp4 HTTP/1.1\r\nHost: a\r\nRange: bytes=${first}-\r\n\r\n`;
      if (when === 'later') {
        connection.send(request(0));
        await until('the rest is wanted', () => film.wants.length > 0);
        connection.send(request(1) + request(2));
      } else connection.send(request(0) + request(1) + request(2));
      await until('the rest is wanted', () => film.wants.length > 0);
      assert.equal(server.stats.openResponses, 1);
      film.available = Infinity;
      for (let first = 0; first < 3; first++) assert.deepEqual((await connection.answer()).body, bytes.subarray(first));
      await until('the answers are over', () => server.stats.openResponses === 0);
      assert.equal(server.stats.abortedResponses, 0);
      connection.socket.destroy();
    });
  }

for (const engine of ENGINES)
  test(`bytes go out as they come, and a failure in the middle closes the connection: ${engine}`, async () => {
    const entries: AccessEntry[] = [];
    const { connect, film, server } = await filmEdge(engine, { accessLog: entry => void entries.push(entry) });
    film.available = 0;
    const connection = await connect();
    connection.request('GET', '/film.mp4').request('GET', '/none');
    await until('the first byte is wanted', () => film.wants.length === 1);
    film.available = 100_000;
    let got = 0;
    connection.socket.on('data', chunk => {
      got += chunk.length;
    });
    await until('the first bytes arrive while the rest is missing', () => got >= 100_000);
    film.fail(400_000);
    film.available = Infinity;
    const all = await connection.rest();
    const start = all.indexOf('\r\n\r\n') + 4;
    assert.match(all.subarray(0, start).toString(), /^HTTP\/1\.1 200 OK\r\n.*content-length: 700000\r\n/is);
    assert.deepEqual(all.subarray(start), bytes.subarray(0, 400_000));
    await until('the entry', () => entries.length === 1);
    assert.deepEqual([entries[0]!.end, entries[0]!.bytes, entries[0]!.status], ['cut', 400_000, 200]);
    assert.deepEqual([server.stats.cutResponses, server.stats.abortedResponses, server.stats.openResponses], [1, 0, 0]);
    assert.deepEqual(film.faults, []);
  });

for (const engine of ENGINES)
  for (const when of ['within the handler', 'on a later turn'] as const) {
    test(`a defect ${when} closes the connection after the right bytes: ${engine}`, async () => {
      const { connect, film, server, port } = await filmEdge(engine);
      const open = film.open.bind(film);
      film.open = () => {
        const opened = open();
        return { ...opened, reader: () => failingAt(opened.reader(), 262_144) };
      };
      if (when === 'on a later turn') film.available = 1000;
      const connection = (await connect()).request('GET', '/film.mp4');
      if (when === 'on a later turn') {
        await until('the rest is wanted', () => film.wants.length > 0);
        film.available = Infinity;
      }
      const all = await connection.rest();
      assert.deepEqual(all.subarray(all.indexOf('\r\n\r\n') + 4), bytes.subarray(0, 262_144));
      assert.equal(server.stats.cutResponses, 1);
      assert.equal((await fetchRaw(port, 'GET', '/none')).status, 404);
    });
  }

/** The reader, which throws from an offset on. */
function failingAt(reader: BlockReader, offset: number): BlockReader {
  const read = reader.read.bind(reader);
  reader.read = (from, to) => {
    if (from >= offset) throw new Error('a defect');
    return read(from, to);
  };
  return reader;
}

for (const engine of ENGINES)
  test(`a failure before the first byte has its status, then the connection serves on: ${engine}`, async () => {
    const { connect, film } = await filmEdge(engine);
    film.failAt = 0;
    const connection = await connect();
    const failed = await connection.request('GET', '/film.mp4').answer();
    assert.equal(failed.status, 502);
    assert.equal(failed.body.toString(), 'the origin is down\n');
    assert.equal(failed.fields['cache-status'], 'moovedge; detail=origin_unavailable');
    film.failAt = Infinity;
    assert.deepEqual((await connection.request('GET', '/film.mp4').answer()).body, bytes);
    connection.socket.destroy();
  });

for (const engine of ENGINES)
  test(`a player that leaves takes back its demand, before and in the answer: ${engine}`, async () => {
    const entries: AccessEntry[] = [];
    const { connect, film, server, content } = await filmEdge(engine, { accessLog: entry => void entries.push(entry) });
    film.available = 100_000;
    const middle = await connect();
    middle.request('GET', '/film.mp4');
    await until('the rest is wanted', () => film.wants.length === 1);
    middle.socket.resetAndDestroy();
    await until('the reader is closed', () => film.readers.size === 0);
    assert.deepEqual([entries[0]!.end, entries[0]!.status, entries[0]!.bytes], ['left', 200, 100_000]);

    let open = () => {};
    content.gate = new Promise<void>(resolve => {
      open = resolve;
    });
    const early = await connect();
    early.request('GET', '/film.mp4');
    await until('the request is there', () => server.stats.openResponses === 1);
    early.socket.resetAndDestroy();
    await until('it has left', () => server.stats.openResponses === 0);
    assert.deepEqual([entries[1]!.end, entries[1]!.status], ['left', 499]);
    const released = film.releases;
    open();
    await until('what was opened in vain is released', () => film.releases === released + 1);
    assert.equal(server.stats.abortedResponses, 2);
    assert.deepEqual(film.faults, []);
  });

for (const engine of ENGINES)
  test(`a player that leaves while a promise fails harms nobody: ${engine}`, async () => {
    const { connect, content, server, port } = await filmEdge(engine);
    let fail = (_: Error) => {};
    content.gate = new Promise<void>((_, reject) => {
      fail = reject;
    });
    const connection = await connect();
    connection.request('GET', '/film.mp4');
    await until('the request is there', () => server.stats.openResponses === 1);
    connection.socket.resetAndDestroy();
    await until('it has left', () => server.stats.openResponses === 0);
    fail(new EdgeError('origin_timeout', 'late'));
    content.gate = undefined;
    assert.equal((await fetchRaw(port, 'GET', '/film.mp4')).status, 200);
  });

for (const engine of ENGINES)
  test(`a slow reader gets everything, and little is kept for it: ${engine}`, async () => {
    const { connect, content, server } = await filmEdge(engine);
    const large = new FakeObject(contentAt('/large', 'v1', 0, 30_000_000));
    content.paths.set('/large', large);
    const connection = await connect();
    connection.socket.pause();
    connection.request('GET', '/large');
    await until('the answer has begun', () => server.stats.openResponses === 1 && server.stats.responseBytes > 0);
    await new Promise(resolve => setTimeout(resolve, 50));
    assert.ok(server.stats.responseBytes < 15_000_000, 'the socket is full');
    connection.socket.resume();
    const { body } = await connection.answer();
    assert.ok(body.equals(large.bytes));
    await until('over', () => server.stats.openResponses === 0);
    assert.deepEqual(large.faults, []);
    assert.equal(large.wants.length, 0);
    connection.socket.destroy();
  });

for (const engine of ENGINES)
  test(`header blocks of 16 KiB pass, larger ones are 431, more than a hundred fields too: ${engine}`, async () => {
    const { connect } = await filmEdge(engine);
    const block = (size: number) => {
      const head = 'GET /film.mp4 HTTP/1.1\r\nHost: a\r\nRange: bytes=0-0\r\nCookie: \r\n\r\n';
      return head.replace('Cookie: ', `Cookie: ${'c'.repeat(size - head.length)}`);
    };
    const connection = await connect();
    for (const size of [4096, 16_000, 16_384])
      assert.equal((await connection.send(block(size)).answer()).status, 206, String(size));
    connection.socket.destroy();
    assert.match((await (await connect()).send(block(17_000)).rest()).toString(), /^HTTP\/1\.1 431 /);
    const many = Array.from({ length: 120 }, (_, i) => `X-${i}: 1\r\n`).join('');
    assert.match(
      (await (await connect()).send(`GET / HTTP/1.1\r\nHost: a\r\n${many}\r\n`).rest()).toString(),
      /^HTTP\/1\.1 431 /,
    );
  });

for (const engine of ENGINES)
  test(`a large header block that comes in pieces passes: ${engine}`, async () => {
    const { connect } = await filmEdge(engine);
    const connection = await connect();
    connection.socket.setNoDelay(true);
    const request = `GET /film.mp4 HTTP/1.1\r\nHost: a\r\nCookie: ${'c'.repeat(15_000)}\r\nRange: bytes=3-5\r\n\r\n`;
    for (let at = 0; at < request.length; at += 3000) {
      connection.send(request.slice(at, at + 3000));
      await new Promise(resolve => setTimeout(resolve, 10));
    }
    assert.deepEqual((await connection.answer()).body, bytes.subarray(3, 6));
    connection.socket.destroy();
  });

for (const engine of ENGINES)
  test(`what is no request never reaches content: ${engine}`, async () => {
    const { connect, content, port } = await filmEdge(engine);
    for (const [text, status] of [
      ['GET /film.mp4 HTTP/2.0\r\n\r\n', 505],
      ['GET ftp://other.example/film.mp4 HTTP/1.1\r\nHost: a\r\n\r\n', 400],
      ['GET /a\0b HTTP/1.1\r\nHost: a\r\n\r\n', 400],
      ['GET /a HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n', 400],
      ['\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n', 400],
    ] as const) {
      const answer = (await (await connect()).send(text).rest()).toString();
      assert.ok(answer.startsWith(`HTTP/1.1 ${status} `), `${JSON.stringify(text)}: ${answer.slice(0, 60)}`);
    }
    for (const target of ['/a\xff', '/\xc0\xae\xc0\xae/', '/a#b', '/a?b\xff']) {
      assert.equal((await (await connect()).request('GET', target).answer()).status, 400, target);
    }
    assert.equal(content.requests.length, 0);
    assert.equal((await fetchRaw(port, 'GET', '/film.mp4')).status, 200);
  });

for (const engine of ENGINES)
  test(`Connection: close is heeded: ${engine}`, async () => {
    const { connect } = await filmEdge(engine);
    const connection = await connect();
    const all = await connection.request('GET', '/film.mp4', { Connection: 'close' }).rest();
    const head = all.indexOf('\r\n\r\n');
    assert.match(all.toString('latin1', 0, head), /^connection: close$/im);
    assert.deepEqual(all.subarray(head + 4), bytes);
  });

/** A stream whose chunks the test gives. */
function streamOf(): OpenStream & {
  sink: StreamSink | undefined;
  cancelled: boolean;
  resumed: number;
  released: number;
} {
  return {
    kind: 'stream',
    contentType: 'video/x-flv',
    fields: [['Cache-Control', 'no-store']],
    sink: undefined,
    cancelled: false,
    resumed: 0,
    released: 0,
    start(sink) {
      this.sink = sink;
      return {
        resume: () => void this.resumed++,
        cancel: () => {
          this.cancelled = true;
        },
      };
    },
    release() {
      this.released++;
    },
  };
}

for (const engine of ENGINES)
  test(`a body of unknown size is sent in chunks as it comes; Range is ignored; HEAD has no length: ${engine}`, async () => {
    const { connect, content, server } = await filmEdge(engine);
    const stream = streamOf();
    content.paths.set('/live', stream);
    const connection = await connect();
    connection.request('GET', '/live', { Range: 'bytes=5-9' });
    await until('the stream is started', () => stream.sink !== undefined);
    assert.equal(stream.sink!.bytes(bytes.subarray(0, 1000)), true);
    let at = 1000;
    setImmediate(function push() {
      if (at >= bytes.length) return stream.sink!.ended();
      const flows = stream.sink!.bytes(bytes.subarray(at, at + 50_000));
      at += 50_000;
      if (flows) return void setImmediate(push);
      const before = stream.resumed;
      void until('resumed', () => stream.resumed > before).then(push);
    });
    const { status, fields, body } = await connection.answer();
    assert.equal(status, 200);
    assert.deepEqual(body, bytes);
    assert.equal(fields['content-length'], undefined);
    assert.equal(fields['content-type'], 'video/x-flv');
    assert.equal(fields['cache-status'], 'moovedge; fwd=bypass');
    assert.equal(fields['accept-ranges'], 'none');
    const head = await connection.request('HEAD', '/live').answer('HEAD');
    assert.equal(head.status, 200);
    assert.equal(head.fields['content-length'], undefined);
    assert.equal((await connection.request('GET', '/live', { 'If-Match': '"x"' }).answer()).status, 412);
    assert.equal(stream.released, 3);
    assert.equal(stream.cancelled, false);
    assert.equal(server.stats.requests.bypass[200], 2);
    connection.socket.destroy();
  });

for (const engine of ENGINES)
  test(`a body of unknown size stands still for a full socket, fails by a cut, and is cancelled by its player: ${engine}`, async () => {
    const { connect, content, server } = await filmEdge(engine);
    const stream = streamOf();
    content.paths.set('/live', stream);
    const slow = await connect();
    slow.socket.pause();
    slow.request('GET', '/live');
    await until('the stream is started', () => stream.sink !== undefined);
    const chunk = contentAt('/live', 'v1', 0, 65_536);
    let given = 0;
    while (stream.sink!.bytes(chunk)) given += chunk.length;
    assert.ok(given < 20_000_000);
    slow.socket.resume();
    await until('the flow goes on', () => stream.resumed === 1);
    stream.sink!.failed(new EdgeError('origin_unavailable', 'reset'));
    const all = await slow.rest();
    assert.doesNotMatch(all.subarray(-20).toString('latin1'), /\r\n0\r\n\r\n$/);
    assert.equal(server.stats.cutResponses, 1);

    stream.sink = undefined;
    const leaving = await connect();
    leaving.request('GET', '/live');
    await until('started again', () => stream.sink !== undefined);
    leaving.socket.resetAndDestroy();
    await until('cancelled', () => stream.cancelled);
    stream.sink = undefined;
    const failing = await connect();
    failing.request('GET', '/live');
    await until('started again', () => stream.sink !== undefined);
    stream.sink!.failed(new EdgeError('origin_timeout', 'late'));
    assert.equal((await failing.answer()).status, 504);
    failing.socket.destroy();
  });
