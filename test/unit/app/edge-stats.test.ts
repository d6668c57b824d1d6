import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { withHottest } from '../../../src/app/edge-stats.js';

describe('the hottest films', () => {
  it('are told by the paths by which players ask, of all workers together', () => {
    const worker = (...hottest: object[]) => ({ stats: { hottest } });
    const stats = {
      workers: [
        worker({ key: 'films/a.mp4', requests: 2, bytes: 10 }, { key: 'bare/b.mp4', requests: 1, bytes: 15 }),
        worker({ key: 'films/a.mp4', requests: 1, bytes: 10 }),
      ],
    };
    const told = withHottest(stats as never, [
      { origin: 'films', base: '/vod' },
      { origin: 'bare', base: '' },
    ]);
    assert.deepEqual(told.hottest, [
      { key: 'films/a.mp4', requests: 3, bytes: 20, origin: 'films', path: '/vod/a.mp4' },
      { key: 'bare/b.mp4', requests: 1, bytes: 15, origin: 'bare', path: '/b.mp4' },
    ]);
  });
});
