import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { OriginTable } from '../../../../src/app/origins/origin-table.js';
import { Overlaid, PlaceList, plainPath } from '../../../../src/base/places.js';

const origin = (name: string, path = '/', host?: string) => ({
  ...{ name, path, host, stripPath: true, url: `http://${name}.example/`, urls: [] },
  query: { forward: 'none' as const, drop: [] },
});
const rules = [origin('all'), origin('films', '/films/'), origin('news', '/', 'news.example')];

describe('routes to origins', () => {
  const table = new OriginTable(rules, [
    { path: '/films/vip/', query: { key: ['v'], forward: ['t'], drop: [] }, freshness: { default: 5 } },
    { path: '/films/', request: { forward: ['x-a'], set: { 'X-B': '1' } }, freshness: { default: 7, max: 9 } },
    { host: 'a.example', path: '/', origin: 'news', request: { forward: ['x-c'], set: { 'X-B': '2', 'X-D': '3' } } },
  ]);

  it('say each setting by the first that fits and states it', () => {
    const { rule, path, overlay, addressing } = table.find('a.example', '/films/vip/a.mp4')!;
    assert.equal(rule.name, 'news');
    assert.equal(path, '/films/vip/a.mp4');
    assert.deepEqual(overlay?.forward, ['x-a', 'x-c']);
    assert.deepEqual(overlay?.set, { 'x-b': '1', 'x-d': '3' });
    assert.deepEqual(overlay?.freshness, { default: 5, max: 9 });
    assert.deepEqual(addressing.address(path, 'v=1&t=2&u=3'), { path, query: 'v=1&t=2', keyQuery: 'v=1' });
  });

  it('leave what they don’t state to origins', () => {
    const films = table.find('other', '/films/a.mp4')!;
    assert.equal(films.rule.name, 'films');
    assert.equal(films.path, '/a.mp4');
    assert.equal(films.addressing.address('/a.mp4', 'x=1').keyQuery, 'x=1');
    assert.equal(table.find('other', '/b.mp4')?.overlay, undefined);
    assert.equal(table.find('news.example', '/b.mp4')?.rule.name, 'news');
  });

  it('name an origin as it would be asked by its own place', () => {
    const table = new OriginTable(rules, [{ path: '/', origin: 'films' }]);
    assert.equal(table.find('x', '/films/a.mp4')?.path, '/a.mp4');
    assert.equal(table.find('x', '/other/a.mp4')?.path, '/other/a.mp4');
    assert.equal(table.find('news.example', '/a.mp4')?.rule.name, 'films');
  });

  it('are all purged when no host is named', () => {
    const names = table.findAll('/films/a.mp4').map(({ rule }) => rule.name);
    assert.deepEqual([...new Set(names)].sort(), ['films', 'news']);
    assert.deepEqual(
      table.findAll('/a').map(({ rule }) => rule.name),
      ['all', 'news', 'news'],
    );
  });
});

describe('places that overlap', () => {
  it('come to what the first of each says, however paths are written, and are made once', () => {
    const segment = fc.constantFrom('a', 'b', 'ä', 'a b');
    const place = fc.record({
      host: fc.constantFrom(undefined, 'x.example', '*.example'),
      path: fc.array(segment, { maxLength: 2 }).map(parts => `/${parts.map(part => `${part}/`).join('')}`),
      value: fc.option(fc.integer(), { nil: undefined }),
    });
    const spelling = fc.array(fc.tuple(segment, fc.boolean(), fc.integer({ min: 1, max: 2 })), { maxLength: 3 });
    fc.assert(
      fc.property(
        fc.array(place, { maxLength: 6 }),
        spelling,
        fc.constantFrom('x.example', 'y'),
        (places, parts, host) => {
          const written = `/${parts.map(([part, escapes, n]) => (escapes ? encodeURIComponent(part) : part) + '/'.repeat(n)).join('')}`;
          const plain = Buffer.from(`/${parts.map(([part]) => `${part}/`).join('')}`).toString('latin1');
          assert.equal(plainPath(written), plain);
          const first = (fitting: typeof places) => ({
            value: fitting.find(({ value }) => value !== undefined)?.value,
          });
          const overlaid = new Overlaid(places, fitting => first([...fitting]));
          const fitting = new PlaceList(places).findAll(host, plain);
          const at = overlaid.at(host, plainPath(written));
          assert.deepEqual(at, fitting.length === 0 ? undefined : first(fitting));
          assert.equal(overlaid.at(host, plain), at);
        },
      ),
    );
  });
});
