import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { LinkTable } from '../../../../src/live/relay/link-table.js';

const STREAM = 'studio/main';
let keys = 0;
const linkOf = (peer: string, stream = STREAM) => ({ stream, peer, key: String(++keys) });

describe('places for other edges', () => {
  it('are so many a stream, and who finds none is sent to those that have one, in turn', () => {
    const table = new LinkTable(() => 2);
    assert.equal(table.ask(linkOf('a'), 0), undefined);
    assert.equal(table.ask(linkOf('b'), 0), undefined);
    assert.deepEqual(table.ask(linkOf('c'), 0), ['a', 'b']);
    assert.deepEqual(table.ask(linkOf('d'), 0), ['b', 'a']);
    assert.equal(table.ask(linkOf('c', 'studio/other'), 0), undefined, 'of another stream there are others');
    assert.equal(table.size, 3);
    assert.deepEqual(table.outcomes, { granted: 3, sentOn: 2, refused: 0 });
  });

  it('are nowhere beyond the second link, so that none is sent on from there', () => {
    const table = new LinkTable(() => 1);
    assert.equal(table.ask(linkOf('a'), 1), undefined);
    assert.deepEqual(table.ask(linkOf('b'), 1), []);
    assert.deepEqual(table.ask(linkOf('c', 'studio/other'), 2), []);
    assert.equal(table.outcomes.refused, 2);
  });

  it('stay with an edge that asks again, and are free when its last link ends', () => {
    const table = new LinkTable(() => 1);
    const [first, second] = [linkOf('a'), linkOf('a')];
    assert.equal(table.ask(first, 0), undefined);
    assert.equal(table.ask(second, 0), undefined);
    table.leave(first);
    assert.deepEqual(table.ask(linkOf('b'), 0), ['a']);
    table.leave(second);
    assert.equal(table.ask(linkOf('b'), 0), undefined);
  });

  it('any course: never more than there are, and none is lost for long when a process dies with its links', () => {
    const peers = fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f');
    const action = fc.oneof(
      fc.record({ kind: fc.constant('ask' as const), peer: peers }),
      fc.record({ kind: fc.constant('leave' as const), peer: peers }),
      fc.record({ kind: fc.constant('die' as const), peer: peers }),
      fc.record({ kind: fc.constant('pass' as const), time: fc.integer({ min: 1, max: 2000 }) }),
    );
    fc.assert(
      fc.property(fc.array(action, { maxLength: 60 }), fc.integer({ min: 1, max: 4 }), (actions, most) => {
        let now = 0;
        const table = new LinkTable(
          () => most,
          () => now,
        );
        const links = new Map<string, ReturnType<typeof linkOf>>();
        for (const each of actions) {
          if (each.kind === 'pass') {
            // Processes that live tell of their links each second.
            for (let passed = 0; passed < each.time; passed += 500) {
              now += 500;
              table.keep(STREAM, [...links.keys()]);
            }
          } else if (each.kind === 'ask') {
            const link = linkOf(each.peer);
            const others = table.ask(link, 0);
            if (others === undefined) links.set(each.peer, link);
            else {
              assert.ok(!links.has(each.peer), 'who has a place keeps it');
              assert.ok(others.length > 0 && others.length <= most && !others.includes(each.peer));
            }
          } else {
            if (each.kind === 'leave' && links.has(each.peer)) table.leave(links.get(each.peer)!);
            links.delete(each.peer);
          }
          assert.ok(table.size <= most && links.size <= most);
        }
        for (let passed = 0; passed < 4; passed++) {
          now += 1000;
          table.keep(STREAM, [...links.keys()]);
        }
        assert.equal(table.size, links.size);
      }),
    );
  });
});
