import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { Askers } from '../../../../src/origin/askers.js';
import { FetchQueue } from '../../../../src/origin/http/fetch-queue.js';
import type { QueuedFetch } from '../../../../src/origin/http/queued-fetch.js';

/** A fetch that notes what becomes of it. */
interface NotedFetch extends QueuedFetch {
  readonly name: string;
}

/** Makes fetches, and keeps the names of those that began or were turned away. */
class Noted {
  readonly began: string[] = [];
  readonly turnedAway: string[] = [];

  fetch(name: string, { client = '', object = 'one' }: { client?: string; object?: string } = {}): NotedFetch {
    const askers = new Askers({ client });
    return {
      name,
      object,
      askers,
      resumable: true,
      begin: () => void this.began.push(name),
      giveWay() {},
      turnAway: () => void this.turnedAway.push(name),
    };
  }
}

describe('the queue of an origin', () => {
  it('lets so many run and so many wait in order; the rest is turned away', () => {
    const queue = new FetchQueue(2, 2);
    const noted = new Noted();
    const [a, b, c, f] = ['a', 'b', 'c', 'f'].map(name => noted.fetch(name)) as [
      NotedFetch,
      NotedFetch,
      NotedFetch,
      NotedFetch,
    ];
    assert.deepEqual(
      [a, b, c].map(each => queue.enter(each)),
      ['running', 'running', 'queued'],
    );
    const forgotten = noted.fetch('forgotten');
    assert.equal(queue.enter(forgotten), 'queued');
    assert.equal(queue.enter(noted.fetch('e')), 'full');
    assert.equal(queue.forget(forgotten), true);
    assert.equal(queue.enter(f), 'queued');
    queue.leave(a);
    queue.leave(b);
    assert.deepEqual(noted.began, ['c', 'f']);
    assert.deepEqual([queue.active, queue.waiting], [2, 0]);
    queue.leave(c);
    queue.leave(f);
    assert.equal(queue.active, 0);
    assert.equal(new FetchQueue(0, 0).enter(a), 'full');
  });

  it('gives objects of a client their turns, whatever is asked of one of them', () => {
    const queue = new FetchQueue(1, 10);
    const noted = new Noted();
    const all = ['a0', 'a1', 'a2', 'a3', 'b1', 'c1', 'b2'].map(name => noted.fetch(name, { object: name[0]! }));
    for (const each of all) queue.enter(each);
    assert.equal(queue.waiting, 6);
    assert.ok(queue.forget(all[3]!));
    assert.ok(!queue.forget(all[3]!));
    assert.ok(!queue.forget(all[0]!), 'it runs');
    for (let i = 0; i < 6; i++) queue.leave(all[0]!);
    assert.deepEqual(noted.began, ['a1', 'b1', 'c1', 'a2', 'b2']);
    assert.deepEqual([queue.active, queue.waiting], [0, 0]);
  });

  it('gives clients their turns: addresses, networks of IPv6, and the edge itself', () => {
    const queue = new FetchQueue(1, 100);
    const noted = new Noted();
    const running = noted.fetch('running');
    queue.enter(running);
    for (let i = 0; i < 5; i++) {
      queue.enter(noted.fetch(`flood ${i}`, { client: `2001:db8:1:1::${i}`, object: `flood ${i}` }));
    }
    const others = ['192.0.2.1', '192.0.2.2', '2001:db8:1:2::1', ''];
    for (const client of others) queue.enter(noted.fetch(client, { client }));
    for (let i = 0; i < 9; i++) queue.leave(running);
    assert.deepEqual(noted.began, ['flood 0', ...others, 'flood 1', 'flood 2', 'flood 3', 'flood 4']);
  });

  it('begins what several clients wait for when the first of them has a turn', () => {
    const queue = new FetchQueue(1, 100);
    const noted = new Noted();
    const running = noted.fetch('running');
    queue.enter(running);
    for (let i = 0; i < 3; i++) queue.enter(noted.fetch(`flood ${i}`, { client: 'flood', object: `${i}` }));
    const wanted = noted.fetch('wanted', { client: 'flood', object: 'wanted' });
    queue.enter(wanted);
    wanted.askers.add({ client: 'honest' });
    for (let i = 0; i < 4; i++) queue.leave(running);
    assert.deepEqual(noted.began, ['flood 0', 'wanted', 'flood 1', 'flood 2']);
    assert.equal(queue.waiting, 0);
    // Nobody joins the queue by one that has left it.
    wanted.askers.add({ client: 'late' });
    queue.leave(running);
    assert.deepEqual([queue.active, queue.waiting], [0, 0]);
    assert.equal(noted.began.length, 4);
  });

  it('makes room in a full queue for who has fewer, by who has most', () => {
    const queue = new FetchQueue(1, 6);
    const noted = new Noted();
    const running = noted.fetch('running');
    queue.enter(running);
    const enter = (name: string, client: string) => queue.enter(noted.fetch(name, { client, object: name }));
    for (let i = 0; i < 4; i++) assert.equal(enter(`flood ${i}`, 'flood'), 'queued');
    for (let i = 0; i < 2; i++) assert.equal(enter(`busy ${i}`, 'busy'), 'queued');
    assert.equal(enter('flood 4', 'flood'), 'full');
    assert.equal(enter('honest 0', 'honest'), 'queued');
    assert.deepEqual(noted.turnedAway, ['flood 3']);
    assert.equal(enter('honest 1', 'honest'), 'queued');
    assert.deepEqual(noted.turnedAway, ['flood 3', 'flood 2']);
    assert.equal(enter('honest 2', 'honest'), 'full', 'nobody has more than one more');
    assert.equal(enter('another', 'another'), 'queued');
    assert.equal(queue.waiting, 6);
  });

  it('does not turn away what others wait for, too', () => {
    const queue = new FetchQueue(1, 3);
    const noted = new Noted();
    queue.enter(noted.fetch('running'));
    const shared = [0, 1, 2].map(i => noted.fetch(`shared ${i}`, { client: 'flood', object: `${i}` }));
    for (const each of shared) {
      assert.equal(queue.enter(each), 'queued');
      each.askers.add({ client: 'honest' });
    }
    assert.equal(queue.enter(noted.fetch('late', { client: 'late' })), 'full');
    assert.deepEqual(noted.turnedAway, []);
  });

  it('lets no client wait longer than one round, whoever comes and goes', () => {
    const clients = ['', 'a', 'b', 'c', 'd'];
    const step = fc.record({
      kind: fc.constantFrom('enter', 'enter', 'enter', 'leave', 'leave', 'join', 'forget'),
      client: fc.constantFrom(...clients),
      object: fc.constantFrom('x', 'y', 'z'),
      which: fc.nat(),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), fc.integer({ min: 1, max: 12 }), (steps, length) => {
        const queue = new FetchQueue(1, length);
        const waiting = new Set<QueuedFetch>();
        /** Turns of each other client since a client that waits had its last one, or began to wait. */
        const turns = new Map<string, Map<string, number>>();
        const isWaiting = (client: string) => [...waiting].some(each => each.askers.clients.has(client));
        const settle = () => {
          for (const client of clients) {
            if (!isWaiting(client)) turns.delete(client);
            else if (!turns.has(client)) turns.set(client, new Map());
          }
        };
        const begun = (fetch: QueuedFetch) => {
          waiting.delete(fetch);
          for (const client of fetch.askers.clients) turns.delete(client);
          // Whose turn it was that brought one with several clients is not told.
          if (fetch.askers.clients.size > 1) return;
          const [client] = fetch.askers.clients;
          for (const [other, seen] of turns) {
            const count = (seen.get(client!) ?? 0) + 1;
            assert.ok(count <= 1, `${client} had ${count} turns while ${other} waited`);
            seen.set(client!, count);
          }
        };
        const make = (client: string, object: string): QueuedFetch => {
          const fetch: QueuedFetch = {
            object,
            askers: new Askers({ client }),
            resumable: true,
            begin: () => begun(fetch),
            giveWay() {},
            turnAway: () => void waiting.delete(fetch),
          };
          return fetch;
        };
        const running = make('running', '');
        queue.enter(running);
        for (const { kind, client, object, which } of steps) {
          const chosen = [...waiting][which % Math.max(1, waiting.size)];
          if (kind === 'enter') {
            const fetch = make(client, object);
            if (queue.enter(fetch) === 'queued') waiting.add(fetch);
          } else if (kind === 'leave' && waiting.size > 0) queue.leave(running);
          else if (kind === 'join') chosen?.askers.add({ client });
          else if (kind === 'forget' && chosen !== undefined) {
            assert.ok(queue.forget(chosen));
            waiting.delete(chosen);
          }
          settle();
          assert.equal(queue.waiting, waiting.size);
        }
        while (waiting.size > 0) queue.leave(running);
        assert.equal(queue.active, 1);
      }),
      { numRuns: 300 },
    );
  });
});
