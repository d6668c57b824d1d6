import assert from 'node:assert/strict';
import { test } from 'node:test';
import { updatedFields } from '../../../../src/catalog/rfc9111/kept-fields.js';

test('a 304 brings another type, but not that of an answer in several parts', () => {
  const kept = { 'content-type': 'video/mp4', 'x-old': '1' };
  assert.deepEqual(updatedFields(kept, { 'content-type': 'video/x-m4v' }), { ...kept, 'content-type': 'video/x-m4v' });
  for (const type of ['multipart/byteranges; boundary=b', 'Multipart/Mixed']) {
    assert.deepEqual(updatedFields(kept, { 'content-type': type }), kept, type);
  }
});
