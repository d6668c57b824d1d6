import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { StreamSink } from '../../../src/catalog/content.js';
import { contentAt } from '../../support/content.js';
import { startEdge } from '../../support/http-edge.js';
import { RawConnection } from '../../support/raw-http.js';
import { until } from '../../support/until.js';

const large = contentAt('/large', 'v1', 0, 12_000_000);

/** Where the socket fills up within a chunk must not matter. */
for (const size of [1, 255, 16_000, 16_320, 16_384, 33_000, 60_000, 65_536, 100_001]) {
  for (const when of ['at once', 'later'] as const) {
    test(`a body of unknown size in chunks of ${size}, the first ${when}, reaches a player that pauses whole`, async () => {
      const length = Math.min(large.length, Math.max(size * 400, 6_000_000 * Math.min(1, size >> 8)));
      const { content, port } = await startEdge();
      let sink: StreamSink | undefined;
      let at = 0;
      let full = false;
      const push = () => {
        while (at < length) {
          const chunk = large.subarray(at, Math.min(at + size, length));
          at += chunk.length;
          if (!sink!.bytes(chunk)) {
            full = true;
            break;
          }
        }
        if (at >= length) sink!.ended();
      };
      content.paths.set('/large', {
        kind: 'stream',
        contentType: 'video/mp4',
        fields: [],
        start(given) {
          sink = given;
          if (when === 'at once') push();
          return { resume: push, cancel() {} };
        },
        release() {},
      });
      const player = await RawConnection.open(port);
      player.socket.pause();
      player.request('GET', '/large');
      await until('the stream is started', () => sink !== undefined);
      if (when === 'later') push();
      if (size > 255) await until('the socket is full', () => full);
      player.socket.resume();
      assert.ok((await player.answer()).body.equals(large.subarray(0, length)));
      player.socket.destroy();
    });
  }
}
