/**
 * Seeks through a whole edge: what they cost at the origin, that each answer is a full representation, and what files
 * that lie get.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, test } from 'node:test';
import { BLOCK_SIZE } from '../../../src/base/block.js';
import { Edge } from '../../support/edge.js';
import { box } from '../../support/mp4/build.js';
import { fetchRaw, type RawAnswer } from '../../support/raw-http.js';

const sample = (name: string) => readFileSync(new URL(`../../../src/samples/${name}`, import.meta.url));

/** The film with 8 MiB between its media and its movie box, so that no offset changes. */
function farMovie(): Buffer {
  const film = sample('bframes-moov-last.mp4');
  const moov = film.lastIndexOf('moov') - 4;
  return Buffer.concat([film.subarray(0, moov), box('free', false, Buffer.alloc(8 << 20)), film.subarray(moov)]);
}

/** The film with its first chunk offset far outside. */
function lyingFilm(): Buffer {
  const film = sample('bframes-faststart.mp4');
  film.writeUInt32BE(0xffff_fff0, film.indexOf('stco') + 12);
  return film;
}

const files: Readonly<Record<string, Buffer>> = {
  '/far.mp4': farMovie(),
  '/lying.mp4': lyingFilm(),
  '/short.mp4': sample('bframes-faststart.mp4').subarray(0, 200_000),
  ...Object.fromEntries(
    ['bframes-faststart.mp4', 'fragmented.mp4', 'keyframes.flv', 'plain.flv'].map(name => [`/${name}`, sample(name)]),
  ),
};
/** Blocks that were sent, by path, each as often as it was. */
const sent: string[] = [];

const origin = createServer((request, response) => {
  const path = request.url!;
  const file = files[path];
  const range = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '');
  if (file === undefined || range === null) {
    response.writeHead(file === undefined ? 404 : 400).end();
    return;
  }
  const from = Number(range[1]);
  const to = Math.min(range[2] === '' ? file.length : Number(range[2]) + 1, file.length);
  for (let block = Math.floor(from / BLOCK_SIZE); block * BLOCK_SIZE < to; block++) sent.push(`${path} ${block}`);
  response.writeHead(206, {
    'Content-Range': `bytes ${from}-${to - 1}/${file.length}`,
    'Content-Length': to - from,
    ETag: '"v1"',
  });
  response.end(file.subarray(from, to));
});

let edge: Edge;
const get = (target: string, fields: Record<string, string> = {}): Promise<RawAnswer> =>
  fetchRaw(edge.port, 'GET', target, fields);

before(async () => {
  await new Promise<void>(resolve => origin.listen(0, '127.0.0.1', resolve));
  edge = await Edge.start({ origin: `http://127.0.0.1:${(origin.address() as AddressInfo).port}` });
});
after(async () => {
  await edge.end();
  origin.closeAllConnections();
  await new Promise(resolve => origin.close(resolve));
});

test('a movie box far behind the media costs the first and the last blocks, once for all who seek at the same time', async () => {
  const answers = await Promise.all(Array.from({ length: 12 }, () => get('/far.mp4?start=11')));
  for (const { status, fields, body } of answers) {
    assert.equal(status, 200);
    assert.equal(fields['x-seek-actual'], '10');
    assert.ok(body.equals(answers[0]!.body));
  }
  assert.equal(answers[0]!.body.toString('latin1', 4, 8), 'ftyp');
  const blocks = sent.filter(line => line.startsWith('/far.mp4 ')).map(line => Number(line.split(' ')[1]));
  assert.equal(new Set(blocks).size, blocks.length, `a block came twice: ${blocks}`);
  const last = Math.floor((files['/far.mp4']!.length - 1) / BLOCK_SIZE);
  assert.ok(
    blocks.every(block => block <= 1 || block >= last - 1),
    `blocks ${blocks} of ${last + 1}`,
  );
});

for (const name of ['bframes-faststart.mp4', 'fragmented.mp4', 'keyframes.flv', 'plain.flv']) {
  test(`${name}: an answer to a seek is a full representation`, async () => {
    const target = `/${name}?start=11&end=17.5`;
    const [whole, again, head] = [await get(target), await get(target), await fetchRaw(edge.port, 'HEAD', target)];
    assert.equal(whole.status, 200);
    assert.ok(whole.body.equals(again.body) && whole.body.length < files[`/${name}`]!.length);
    const etag = whole.fields.etag!;
    assert.match(etag, /^"[^"]+"$/);
    assert.notEqual(etag, (await get(`/${name}?start=11`)).fields.etag);
    const stable = ({ fields }: RawAnswer) => ({ ...fields, date: '', age: '', 'cache-status': '' });
    assert.deepEqual(stable(head), stable(again));
    assert.equal(Number(head.fields['content-length']), whole.body.length);

    const part = await get(target, { Range: 'bytes=1000-50000', 'If-Range': etag });
    assert.equal(part.status, 206);
    assert.ok(part.body.equals(whole.body.subarray(1000, 50_001)));
    assert.equal(part.fields['content-range'], `bytes 1000-50000/${whole.body.length}`);
    assert.equal((await get(target, { Range: 'bytes=1000-50000', 'If-Range': '"v1"' })).status, 200);
    assert.equal((await get(target, { 'If-None-Match': etag })).status, 304);
    assert.equal((await get(target, { 'If-Match': '"v1"' })).status, 412);
    assert.equal((await get(target, { Range: `bytes=${whole.body.length}-` })).status, 416);

    const several = await get(target, { Range: 'bytes=0-99,5000-5999,-50' });
    assert.equal(several.status, 206);
    const boundary = /^multipart\/byteranges; ?boundary=(.+)$/.exec(several.fields['content-type']!)![1]!;
    const parts = several.body.toString('latin1').split(`--${boundary}`).slice(1, -1);
    const bodies = parts.map(text => text.slice(text.indexOf('\r\n\r\n') + 4, -2));
    const { body } = whole;
    assert.deepEqual(
      bodies,
      [body.subarray(0, 100), body.subarray(5000, 6000), body.subarray(-50)].map(bytes => bytes.toString('latin1')),
    );
  });
}

test('a file that lies, or ends early, is streamed as it is, and can not be seeked in', async () => {
  for (const [name, reason] of [
    ['lying.mp4', /goes on to byte \d+, and the file has \d+ bytes/],
    ['short.mp4', /needs \d+ bytes where \d+ are left|goes on to byte/],
  ] as const) {
    const refused = await get(`/${name}?start=5`);
    assert.equal(refused.status, 422);
    assert.match(refused.body.toString(), reason);
    for (const target of [`/${name}`, `/${name}?start=undefined`, `/${name}?start=0`]) {
      const plain = await get(target);
      assert.equal(plain.status, 200, target);
      assert.ok(plain.body.equals(files[`/${name}`]!), target);
    }
  }
});
