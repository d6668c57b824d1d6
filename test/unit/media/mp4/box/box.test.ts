import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { perform } from '../../../../../src/media/io/reading.js';
import { parseBox, parseBoxes, readBox, u64 } from '../../../../../src/media/mp4/box/box.js';
import { BoxWriter } from '../../../../../src/media/mp4/box/box-writer.js';
import { box } from '../../../../support/mp4/build.js';
import { MemorySource } from '../../../../support/virtual.js';

const unplayable = { code: 'unplayable' };

describe('box headers', () => {
  it('have 32-bit sizes, 64-bit sizes, or go on to the end', () => {
    const small = box('free', false, new Uint8Array(5));
    assert.deepEqual(parseBox(small, 0, 100, 200), { type: 'free', offset: 100, headerSize: 8, end: 113 });
    const wide = box('mdat', true, new Uint8Array(5));
    assert.deepEqual(parseBox(wide, 0, 100, 200), { type: 'mdat', offset: 100, headerSize: 16, end: 121 });
    const open = Buffer.from('00000000 6d646174 ff'.replaceAll(' ', ''), 'hex');
    assert.deepEqual(parseBox(open, 0, 0, 9), { type: 'mdat', offset: 0, headerSize: 8, end: 9 });
  });

  it('that do not fit are refused', () => {
    for (const hex of [
      '00000007 66726565',
      '00000011 66726565',
      '000000',
      '00000001 6d646174',
      '00000001 6d646174 00000000 0000000f',
      '00000001 6d646174 ffffffff ffffffff',
    ]) {
      const bytes = Buffer.from(hex.replaceAll(' ', ''), 'hex');
      assert.throws(() => parseBox(bytes, 0, 0, 16), unplayable, hex);
    }
  });

  it('are read with as few bytes as there are', async () => {
    const bytes = box('free', false);
    const source = new MemorySource(bytes, true);
    assert.deepEqual(await perform(readBox(source, 0, 8)), { type: 'free', offset: 0, headerSize: 8, end: 8 });
    await assert.rejects(async () => perform(readBox(source, 4, 8)), unplayable);
  });

  it('follow each other in a list that may end with a size of 0', () => {
    const list = Buffer.concat([box('aaaa', false), box('bbbb', true, new Uint8Array(3)), Buffer.alloc(4)]);
    assert.deepEqual(
      parseBoxes(list, 0, list.length).map(({ type }) => type),
      ['aaaa', 'bbbb'],
    );
    const ended = Buffer.concat([box('aaaa', false), Buffer.alloc(12)]);
    assert.equal(parseBoxes(ended, 0, ended.length).length, 1);
    assert.throws(() => parseBoxes(Buffer.alloc(80, box('aaaa', false)), 0, 80, 9), unplayable);
  });

  it('hold no number above 2^53', () => {
    assert.equal(u64(Buffer.from('001fffffffffffff', 'hex'), 0), Number.MAX_SAFE_INTEGER);
    assert.throws(() => u64(Buffer.from('0020000000000000', 'hex'), 0), unplayable);
  });
});

describe('BoxWriter', () => {
  it('fills in sizes, skipped bytes included, and grows', () => {
    const writer = new BoxWriter(4);
    const outer = writer.open('moov');
    const inner = writer.openFull('stco', 1, 2);
    writer.skip(1000);
    writer.u64(2 ** 40 + 5);
    writer.i64(-1);
    writer.close(inner);
    writer.zeros(3);
    writer.close(outer);
    const hex = Buffer.from(writer.take()).toString('hex');
    assert.equal(hex, '0000040f6d6f6f76000004047374636f010000020000010000000005ffffffffffffffff000000');
    assert.equal(writer.position, 0x40f);
    assert.equal(writer.length, 0x40f - 1000);
  });
});
