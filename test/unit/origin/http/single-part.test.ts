import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { SinglePart } from '../../../../src/origin/http/single-part.js';

const CONTENT = Buffer.from('0123456789--b\r\n--b--abc');
const LAST = CONTENT.length - 1;
const RANGE = `Content-Range: bytes 0-${LAST}/100`;

function multipart({
  before = '',
  lines = [RANGE, 'Content-Type: video/mp4'],
  after = '\r\n--bound--\r\n',
} = {}): Buffer {
  return Buffer.concat([Buffer.from(`${before}--bound\r\n${lines.join('\r\n')}\r\n\r\n`), CONTENT, Buffer.from(after)]);
}

/** What a part gives of a body that is cut at these places, or what is wrong with it. */
function read(body: Buffer, sizes: readonly number[] = [1e9], type = 'multipart/byteranges; boundary=bound') {
  const part = SinglePart.of({ 'content-type': type, etag: '"v"', 'content-length': String(body.length) })!;
  const chunks: Buffer[] = [];
  for (let at = 0, turn = 0; at < body.length; turn++) {
    const size = sizes[turn % sizes.length]!;
    const content = part.take(body.subarray(at, at + size));
    if (typeof content === 'string') return content;
    chunks.push(Buffer.from(content));
    at += size;
  }
  return { content: Buffer.concat(chunks).toString(), fields: part.fields, isWhole: part.isWhole };
}

const TAKEN = {
  content: CONTENT.toString(),
  fields: {
    etag: '"v"',
    'content-length': String(CONTENT.length),
    'content-range': RANGE.slice('Content-Range: '.length),
    'content-type': 'video/mp4',
  },
  isWhole: true,
};

test('the one part is taken out, however its body is cut, whatever stands before and behind', () => {
  const framing = fc.record({
    before: fc.constantFrom('', '\r\n', 'This is a preamble: of lines\r\nand more\r\n'),
    after: fc.constantFrom('\r\n--bound--', '\r\n--bound--\r\n', '\r\n--bound--\r\nan epilogue'),
  });
  const sizes = fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1, maxLength: 5 });
  fc.assert(fc.property(framing, sizes, (how, cuts) => assert.deepEqual(read(multipart(how), cuts), TAKEN)));
});

for (const type of [
  'multipart/byteranges;boundary="bound"',
  'Multipart/ByteRanges; charset=x; BOUNDARY=bound',
  'multipart/byteranges; boundary=bound; charset=x',
])
  test(`its boundary is found in ${type}`, () => assert.deepEqual(read(multipart(), [1e9], type), TAKEN));

for (const type of [
  'video/mp4',
  'multipart/byteranges',
  'multipart/mixed; boundary=bound',
  'multipart/byteranges; boundary=',
])
  test(`no multipart that can be read: ${type}`, () =>
    assert.equal(SinglePart.of({ 'content-type': type }), undefined));

const WRONG: Readonly<Record<string, readonly [body: Buffer, reason: string]>> = {
  'a second part': [
    multipart({ after: `\r\n--bound\r\n${RANGE}\r\n\r\n` }),
    'answered a single range with several parts',
  ],
  'more than its range': [
    multipart({ after: 'xyz\r\n--bound--' }),
    'sent a part that is longer than its Content-Range',
  ],
  'no range': [multipart({ lines: ['A: b'] }), 'sent a part without a sound Content-Range'],
  'a length of its own': [
    multipart({ lines: [RANGE, 'Content-Length: 3'] }),
    'sent a part whose Content-Length contradicts its Content-Range',
  ],
  'no head': [Buffer.alloc(100_000, 'x'), 'sent parts without heads'],
};

for (const [name, [body, reason]] of Object.entries(WRONG)) {
  test(`refused, however it is cut: ${name}`, () => {
    for (const size of [1, 7, 1e9]) assert.equal(read(body, [size]), reason);
  });
}

test('a body that ends within its part, or before its last delimiter, is not whole', () => {
  for (const after of ['', '\r\n--bou']) {
    const result = read(multipart({ after }));
    assert.ok(typeof result === 'object' && !result.isWhole);
  }
});
