import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Framing } from '../../../../src/cluster/peer/line/answer-head.js';
import { BodyReader } from '../../../../src/cluster/peer/line/body-reader.js';

/** Reads a body that comes in pieces, and what is left behind it. */
function read(framing: Framing, pieces: readonly Buffer[]) {
  const reader = new BodyReader(framing);
  const found: Uint8Array[] = [];
  const behind: Uint8Array[] = [];
  for (const piece of pieces) {
    let rest: Uint8Array = piece;
    while (rest.length > 0 && !reader.isComplete && !reader.isBroken) {
      reader.at = 0;
      const bytes = reader.next(rest);
      if (bytes !== undefined) found.push(new Uint8Array(bytes));
      rest = rest.subarray(reader.at);
    }
    behind.push(rest);
  }
  return { body: Buffer.concat(found), behind: Buffer.concat(behind), reader };
}

const cut = (bytes: Buffer, at: readonly number[]) => {
  const ends = [...new Set(at.map(each => each % (bytes.length + 1)))].sort((a, b) => a - b);
  return [0, ...ends].map((from, i) => bytes.subarray(from, ends[i] ?? bytes.length));
};

test('chunks make the same body however they arrive, and what follows is left', () => {
  const chunk = fc.uint8Array({ minLength: 1, maxLength: 40 });
  fc.assert(
    fc.property(fc.array(chunk, { maxLength: 6 }), fc.array(fc.nat(500)), fc.boolean(), (chunks, at, trailer) => {
      const coded = chunks.flatMap(each => [
        Buffer.from(`${each.length.toString(16)};x=y\r\n`),
        each,
        Buffer.from('\r\n'),
      ]);
      const end = Buffer.from(trailer ? '0\r\nA: b\r\n\r\n' : '0\r\n\r\n');
      const all = Buffer.concat([...coded, end, Buffer.from('HTTP')]);
      const { body, behind, reader } = read('chunked', cut(all, at));
      assert.ok(reader.isComplete && !reader.isBroken);
      assert.deepEqual(body, Buffer.concat(chunks));
      assert.equal(behind.toString(), 'HTTP');
    }),
  );
});

test('a body of known length ends with its last byte', () => {
  fc.assert(
    fc.property(fc.nat(60), fc.nat(10), fc.array(fc.nat(80)), (length, more, at) => {
      const { body, behind, reader } = read(length, cut(Buffer.alloc(length + more, 7), at));
      assert.ok(reader.isComplete);
      assert.deepEqual([body.length, behind.length], [length, more]);
    }),
  );
});

for (const text of ['x\r\n', '5\n', '-1\r\n', '1\r\nab\r\n', '\r\n', '1234567890123\r\n', `1;${'a'.repeat(300)}`]) {
  test(`chunks that make no sense: ${JSON.stringify(text.slice(0, 20))}`, () => {
    const { reader } = read('chunked', [Buffer.from(text)]);
    assert.ok(reader.isBroken && !reader.isComplete);
  });
}
