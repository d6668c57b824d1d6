import assert from 'node:assert/strict';
import { it } from 'node:test';
import { answerFile } from '../../../../src/view/packaging/answer-file.js';
import { clipTimesOf } from '../../../../src/view/packaging/clip.js';
import { literal } from '../../../../src/virtual-file/span.js';
import { FakeObject } from '../../../support/fake-content.js';

it('what an origin keeps from shared caches is not called immutable', () => {
  const head = { contentType: 'video/mp4', tag: 'x', isForEver: true };
  const fieldsOf = (value: string) => {
    const { object } = new FakeObject(Buffer.from('film'), { fields: [['cache-control', value]] });
    return answerFile({ object }, [literal(Buffer.from('part'))], head).fields;
  };
  assert.deepEqual(fieldsOf('max-age=60'), [['Cache-Control', 'max-age=31536000, immutable']]);
  assert.deepEqual(fieldsOf('private, max-age=60'), []);
  assert.deepEqual(fieldsOf('no-store'), []);
  assert.deepEqual(fieldsOf('max-age=60, must-revalidate, no-cache'), []);
});

it('clips are what a seek is, in milliseconds', () => {
  const clip = (start?: string, end?: string) =>
    clipTimesOf(
      new Map(Object.entries({ start, end }).filter((entry): entry is [string, string] => entry[1] !== undefined)),
    );
  assert.deepEqual(clip('12.5'), { start: 12_500, end: undefined });
  assert.deepEqual(clip('1', '2.0004'), { start: 1000, end: 2000 });
  assert.deepEqual(clip(undefined, '9'), { start: 0, end: 9000 });
  assert.deepEqual(clip('1', '1.0001'), { start: 1000, end: 1001 }, 'a clip has a duration');
  assert.deepEqual(clip('5', '3'), { start: 5000, end: undefined });
  for (const start of ['0', 'undefined', '-1', '']) assert.equal(clip(start), undefined);
  assert.deepEqual(clip('1', '1e300'), { start: 1000, end: undefined });
  assert.deepEqual(clip('99999999999999'), { start: 99_999_999_998, end: undefined });
});
