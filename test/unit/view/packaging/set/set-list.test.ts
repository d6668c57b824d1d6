import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { EdgeError } from '../../../../../src/base/errors.js';
import { memberAt } from '../../../../../src/view/packaging/set/member.js';
import { parseSetList } from '../../../../../src/view/packaging/set/set-list.js';

const parse = (list: unknown) => parseSetList(Buffer.from(JSON.stringify(list)), '/films/x.set.json');

describe('lists of sets', () => {
  it('name files by path, and what is to be said of them', () => {
    assert.deepEqual(
      parse({ files: ['a b.mp4', { path: '/c.srt', language: 'de', name: 'x', default: true, forced: true }] }),
      [
        memberAt('/films/a%20b.mp4', 'film'),
        { ...memberAt('/c.srt', 'subtitles'), language: 'de', label: 'x', isDefault: true, isForced: true },
      ],
    );
    assert.equal(parse({ files: ['ü?#.mp4'] })[0]!.path, '/films/%C3%BC%3F%23.mp4');
  });

  for (const list of [
    null,
    [],
    {},
    { files: [] },
    { files: 'a.mp4' },
    { files: ['a.srt'] },
    { files: ['a.txt'] },
    { files: [''] },
    { files: [null] },
    { files: [5] },
    { files: [['a.mp4']] },
    { files: [{ path: 5 }] },
    { files: [{ path: 'a.mp4', bitrate: 1 }] },
    { files: [{ path: 'a.mp4', default: 'yes' }] },
    { files: [{ path: 'a.mp4', constructor: 1 }] },
    { files: ['../a.mp4'] },
    { files: ['x/../../a.mp4'] },
    { files: ['%2e%2e/a.mp4'] },
    { files: ['a\n.mp4\u0000.mp4'] },
    { files: ['%.mp4'] },
    { files: Array.from({ length: 33 }, (_, i) => `${i}.mp4`) },
  ]) {
    it(`not ${JSON.stringify(list).slice(0, 50)}`, () => {
      assert.throws(
        () => parse(list),
        (error: unknown) => error instanceof EdgeError && /^(?:unplayable|bad_request)$/.test(error.code),
      );
    });
  }

  it('whatever they hold', () => {
    fc.assert(
      fc.property(fc.jsonValue(), value => {
        for (const list of [value, { files: value }, { files: [value] }, { files: [{ path: value }] }]) {
          try {
            for (const { path } of parse(list)) assert.ok(path.startsWith('/') && !path.includes('..'));
          } catch (error) {
            assert.ok(error instanceof EdgeError, String(error));
          }
        }
      }),
    );
    assert.throws(() => parseSetList(Buffer.from('{"files": ['), '/x'), /expected JSON/);
  });
});

it('the name of a file of subtitles tells its language', () => {
  const of = (name: string) => {
    const { language, isForced } = memberAt(`/a/${name}`, 'subtitles');
    return [language, isForced];
  };
  assert.deepEqual(of('film.en.srt'), ['en', false]);
  assert.deepEqual(of('film.pt-BR.vtt'), ['pt-BR', false]);
  assert.deepEqual(of('film.de.forced.srt'), ['de', true]);
  assert.deepEqual(of('film.en.sdh.srt'), ['en', false]);
  assert.deepEqual(of('film.srt'), [undefined, false]);
});
