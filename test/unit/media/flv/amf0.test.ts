import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Amf0Reader, type Amf0Value, Amf0Writer } from '../../../../src/media/flv/amf0.js';

type Plain = number | string | Plain[] | { [name: string]: Plain };

/** Names and texts of ASCII, which is what the writer takes. */
const text = fc.string({ unit: 'grapheme-ascii', maxLength: 12 });
const plain = fc.letrec<{ value: Plain }>(tie => ({
  value: fc.oneof(
    { maxDepth: 4 },
    fc.double({ noNaN: true }),
    text,
    fc.array(tie('value'), { maxLength: 5 }),
    fc.dictionary(
      text.filter(name => name.length > 0),
      tie('value'),
      { maxKeys: 5 },
    ),
  ),
})).value;

function write(writer: Amf0Writer, value: Plain, ecma: boolean): void {
  if (typeof value === 'number') writer.number(value);
  else if (typeof value === 'string') writer.string(value);
  else if (Array.isArray(value)) {
    writer.strictArray(value.length);
    for (const item of value) write(writer, item, ecma);
  } else {
    const entries = Object.entries(value);
    if (ecma) writer.ecmaArray(entries.length);
    else writer.object();
    for (const [name, item] of entries) {
      writer.name(name);
      write(writer, item, ecma);
    }
    writer.end();
  }
}

function model(value: Plain): Amf0Value {
  if (Array.isArray(value)) return value.map(model);
  if (typeof value !== 'object') return value;
  return new Map(Object.entries(value).map(([name, item]) => [name, model(item)]));
}

test('what is written is read again, and skipped to its last byte', () => {
  fc.assert(
    fc.property(plain, fc.boolean(), fc.nat(3), (value, ecma, before) => {
      const writer = new Amf0Writer().raw(new Uint8Array(before));
      write(writer, value, ecma);
      const bytes = writer.finish();
      assert.equal(writer.length, bytes.length);
      const reader = new Amf0Reader(bytes);
      assert.deepEqual(reader.value(before), model(value));
      assert.equal(reader.skip(before), bytes.length);
    }),
  );
});

test('every prefix of a value is refused with RangeError', () => {
  const writer = new Amf0Writer().strictArray(1).object().name('list').strictArray(2).number(1).string('two');
  const bytes = writer.name('n').number(3).end().finish();
  assert.equal(new Amf0Reader(bytes).skip(0), bytes.length);
  for (let length = 0; length < bytes.length; length++) {
    assert.throws(() => new Amf0Reader(bytes.subarray(0, length)).skip(0), RangeError, `${length} bytes`);
    assert.throws(() => new Amf0Reader(bytes.subarray(0, length)).value(0), RangeError, `${length} bytes`);
  }
});

test('an outermost object may end where the bytes end, since muxers leave its mark out', () => {
  const bytes = new Amf0Writer().ecmaArray(1).name('n').number(3).finish();
  assert.deepEqual(new Amf0Reader(bytes).value(0), new Map([['n', 3]]));
});

test('booleans, nulls, dates, long strings and typed objects are read', () => {
  const date = Buffer.from([11, ...Buffer.alloc(8), 0, 0]);
  date.writeDoubleBE(86_400_000, 1);
  const long = Buffer.from([12, 0, 0, 0, 2, ...Buffer.from('hi')]);
  const typed = Buffer.from([16, 0, 1, 0x43, 0, 1, 0x61, 1, 1, 0, 0, 9]);
  const cases: [Buffer, Amf0Value][] = [
    [Buffer.from([1, 1]), true],
    [Buffer.from([5]), null],
    [Buffer.from([6]), null],
    [Buffer.from([7, 0, 1]), null],
    [date, 86_400_000],
    [long, 'hi'],
    [typed, new Map([['a', true]])],
  ];
  for (const [bytes, value] of cases) {
    assert.deepEqual(new Amf0Reader(bytes).value(0), value);
    assert.equal(new Amf0Reader(bytes).skip(0), bytes.length);
  }
});

test('endless nesting and lying counts are refused at once', () => {
  const nested = Buffer.alloc(4000);
  for (let i = 0; i + 5 <= nested.length; i += 5) nested.set([10, 0, 0, 0, 1], i);
  assert.throws(() => new Amf0Reader(nested).skip(0), /nested too deep/);
  assert.throws(() => new Amf0Reader(Buffer.from([10, 0xff, 0xff, 0xff, 0xff, 0])).skip(0), RangeError);
  assert.throws(() => new Amf0Reader(Buffer.from([42])).skip(0), /unknown kind 42/);
});

test('a row of numbers is found only where there is nothing else', () => {
  const numbers = new Amf0Writer().strictArray(3).number(1).number(2).number(3).finish();
  assert.deepEqual(new Amf0Reader(numbers).numbers(0), { at: 5, count: 3 });
  const mixed = new Amf0Writer().strictArray(2).number(1).string('2').finish();
  assert.equal(new Amf0Reader(mixed).numbers(0), undefined);
  assert.equal(new Amf0Reader(new Amf0Writer().number(1).finish()).numbers(0), undefined);
});
