import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { BoxWriter } from '../../../../../src/media/mp4/box/box-writer.js';
import { writeChapters } from '../../../../../src/media/mp4/table/chapters.js';

/** Contents of a chapter list. */
function list(version: 0 | 1, chapters: readonly (readonly [seconds: number, title: string])[]): Buffer {
  const parts = chapters.map(([seconds, title]) => {
    const head = Buffer.alloc(9);
    head.writeBigUInt64BE(BigInt(Math.round(seconds * 1e7)));
    head[8] = title.length;
    return Buffer.concat([head, Buffer.from(title)]);
  });
  return Buffer.concat([
    Buffer.from([version, 0, 0, 0]),
    Buffer.alloc(version * 4),
    Buffer.from([chapters.length]),
    ...parts,
  ]);
}

function cut(body: Uint8Array, start: number, end = Number.POSITIVE_INFINITY): string {
  const writer = new BoxWriter();
  writeChapters(writer, body, start, end);
  return Buffer.from(writer.take()).toString('latin1');
}

function boxed(body: Buffer): string {
  const size = Buffer.alloc(4);
  size.writeUInt32BE(body.length + 8);
  return Buffer.concat([size, Buffer.from('chpl'), body]).toString('latin1');
}

describe('chapter lists', () => {
  const film = [
    [0, 'A'],
    [10, 'Bee'],
    [20.5, ''],
  ] as const;

  it('count from the beginning of the cut, with the chapter that is under way first', () => {
    for (const version of [0, 1] as const) {
      const body = list(version, film);
      assert.equal(cut(body, 0), boxed(body));
      assert.equal(
        cut(body, 4),
        boxed(
          list(version, [
            [0, 'A'],
            [6, 'Bee'],
            [16.5, ''],
          ]),
        ),
      );
      assert.equal(
        cut(body, 10),
        boxed(
          list(version, [
            [0, 'Bee'],
            [10.5, ''],
          ]),
        ),
      );
      assert.equal(cut(body, 12.25, 20), boxed(list(version, [[0, 'Bee']])));
      assert.equal(cut(body, 99), boxed(list(version, [[0, '']])));
    }
  });

  it('that are damaged are left out', () => {
    const body = list(1, film);
    for (let length = 0; length < body.length; length++) assert.equal(cut(body.subarray(0, length), 4), '');
    const huge = Buffer.from(body);
    huge[9] = 0xff;
    assert.equal(cut(huge, 4), '');
  });
});
