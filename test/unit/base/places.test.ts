import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { checkPath } from '../../../src/base/checked-path.js';
import { PlaceList, plainPath } from '../../../src/base/places.js';

/** A path that servers may take for /paid/film.mp4: each character escaped or not, slashes once or more. */
const SPELLINGS = fc
  .array(fc.record({ escapes: fc.boolean(), upper: fc.boolean(), slashes: fc.integer({ min: 1, max: 3 }) }), {
    minLength: 14,
    maxLength: 14,
  })
  .map(ways =>
    [...'/paid/film.mp4']
      .map((character, i) => {
        const { escapes, upper, slashes } = ways[i]!;
        const code = `%${character.charCodeAt(0).toString(16)}`;
        // A target begins with a slash.
        const written = escapes && i > 0 ? (upper ? code.toUpperCase() : code) : character;
        return character === '/' ? written.repeat(slashes) : written;
      })
      .join(''),
  );

describe('places', () => {
  const [paid, all] = [{ path: '/paid/' }, { path: '/' }];
  const places = new PlaceList([
    { host: '*.example.com', path: '/paid/' },
    { host: 'a.example', path: '/' },
    paid,
    all,
  ]);

  it('are found however a path is written', () => {
    fc.assert(
      fc.property(SPELLINGS, path => {
        assert.equal(plainPath(path), '/paid/film.mp4');
        assert.equal(places.find('other', plainPath(path)), paid);
      }),
    );
  });

  it('are not left by dots, which no target has', () => {
    const dots = fc.constantFrom('.', '%2e', '%2E').chain(dot => fc.constantFrom(dot, `${dot}.`, `${dot}%2e`));
    const path = fc
      .tuple(fc.constantFrom('/', '%2f', '%2F', '//'), dots, fc.constantFrom('/', '%2f', ''))
      .map(([before, dot, after]) => `/paid${before}${dot}${after}${after === '' ? '' : 'film.mp4'}`);
    fc.assert(fc.property(path, each => assert.throws(() => checkPath(each), { code: 'bad_request' })));
  });

  it('are taken in their order, by host and path', () => {
    assert.equal(places.find('films.example.com', '/paid/x'), places.all[0]);
    assert.equal(places.find('example.com', '/paid/x'), paid, 'a domain is none of the names below it');
    assert.equal(places.find('a.example', '/paid/x'), places.all[1]);
    assert.equal(places.find('b.example', '/paid'), all);
    assert.deepEqual(places.findAll('b.example', '/paid/x'), [paid, all]);
    assert.equal(places.findAll(undefined, '/paid/x').length, 4, 'without a host: all that some host leads to');
    assert.equal(new PlaceList([{ path: '/paid/' }]).find('x', '/'), undefined);
  });
});
