import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { HeadWriter } from '../../../src/http/head-writer.js';

const octets = fc.string({ unit: fc.integer({ min: 0x20, max: 0xff }).map(code => String.fromCharCode(code)) });
const part = fc.oneof(octets, fc.maxSafeNat(), fc.constantFrom('', 'x'.repeat(5000)));

test('heads are what they were made of, one after the other, whatever their length', () => {
  const starts = ['200 OK', '206 Partial Content', 'y'.repeat(3000)].map(text => Buffer.from(text));
  const head = fc.record({ start: fc.constantFrom(...starts), parts: fc.array(part, { maxLength: 6 }) });
  fc.assert(
    fc.property(fc.array(head, { maxLength: 8 }), heads => {
      const writer = new HeadWriter();
      for (const { start, parts } of heads) {
        writer.begin(start);
        for (const each of parts) {
          if (typeof each === 'number') writer.number(each);
          else writer.text(each);
        }
        assert.equal(Buffer.from(writer.bytes).toString('latin1'), [start.toString('latin1'), ...parts].join(''));
      }
    }),
  );
});

test('numbers of any length', () => {
  const writer = new HeadWriter();
  for (const number of [0, 9, 10, 99, 100, 2 ** 31, 10 ** 15, Number.MAX_SAFE_INTEGER]) {
    writer.begin(new Uint8Array(0));
    writer.number(number);
    assert.equal(Buffer.from(writer.bytes).toString('latin1'), String(number));
  }
});
