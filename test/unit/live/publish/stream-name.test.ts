import assert from 'node:assert/strict';
import { it } from 'node:test';
import { readStreamName } from '../../../../src/live/publish/stream-name.js';

it('stream names come from the application and the name, whatever slashes and parameters there are', () => {
  const names: [app: string, name: string, stream: string | undefined, query?: string][] = [
    ['live', 'cam', 'live/cam', ''],
    ['/live/', '/cam/', 'live/cam', ''],
    ['live/eu', 'cam/1', 'live/eu/cam/1', ''],
    ['live', 'cam?key=a&b=c', 'live/cam', 'key=a&b=c'],
    ['live?key=a', 'cam', 'live/cam', 'key=a'],
    ['live?key=a', 'cam?key=b', 'live/cam', 'key=b'],
    ['live/?key=a', 'cam', 'live/cam', 'key=a'],
    ['live', 'cam.v2_~-', 'live/cam.v2_~-', ''],
    ['', 'cam', undefined],
    ['live', '', undefined],
    ['live', '?key=a', undefined],
    ['..', 'cam', undefined],
    ['live', '../../etc/passwd', undefined],
    ['live', '.cam', undefined],
    ['live', 'a//b', undefined],
    ['live', 'a%2fb', undefined],
    ['live', 'a\0b', undefined],
    ['live', 'x'.repeat(196), undefined],
    ['a/b/c/d', 'e/f/g/h/i', undefined],
  ];
  for (const [app, name, stream, query] of names) {
    const found = readStreamName(app, name);
    assert.equal(found?.stream, stream, `${app} ${name}`);
    if (stream !== undefined) assert.equal(found?.query.toString(), query);
  }
});
