import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Edge } from '../../../support/edge.js';
import { audio, video } from '../../../support/flv.js';
import { LiveEdge, readRing } from '../../../support/live-edge.js';
import { kill } from '../../../support/processes.js';
import { RtmpPublisher } from '../../../support/rtmp-publisher.js';
import { until } from '../../../support/until.js';

/** Sends a group of 25 frames with sound. */
function play(publisher: RtmpPublisher, from = 0): void {
  publisher.media(9, from, video('config', 20, 1));
  publisher.media(8, from, audio('config', 2, 1));
  for (let i = 0; i < 25; i++) {
    publisher.media(9, from + i * 40, video(i === 0 ? 'key' : 'inter', 500, i));
    publisher.media(8, from + i * 40, audio('frame', 90, i));
  }
}

/** Publishes, as soon as somebody listens. */
function comeBack(port: number, stream: string): Promise<RtmpPublisher> {
  return until('a publisher that is let in', async () => {
    const publisher = await RtmpPublisher.publish(port, stream).catch(() => undefined);
    return publisher?.isPublishing === true && publisher;
  });
}

/** A ring that is gone on with: the same file, which has all tags, in order of time. */
async function assertGoesOn(live: LiveEdge, ring: string, port = live.rtmpPort): Promise<void> {
  const before = readRing(ring);
  const publisher = await comeBack(port, 'live/cam');
  play(publisher, 9_000_000);
  const { tags, state } = await until('its tags', () => {
    const found = readRing(ring);
    return found.tags.length === before.tags.length + 50 && found;
  });
  assert.deepEqual(live.rings, [ring]);
  assert.equal(state, 'publishing');
  const times = tags.filter(({ type }) => type === 9).map(({ timestamp }) => timestamp);
  assert.deepEqual(
    times,
    times.toSorted((a, b) => a - b),
  );
  assert.ok(times.at(-1)! < 600_000, `${times.at(-1)} ms`);
  await publisher.stop();
}

async function startStream(): Promise<{ live: LiveEdge; ring: string; publisher: RtmpPublisher }> {
  const live = await LiveEdge.start('grace: 60s');
  const publisher = await RtmpPublisher.publish(live.rtmpPort, 'live/cam');
  play(publisher);
  const ring = await until('a ring with all tags', () => {
    const [file] = live.rings;
    return file !== undefined && readRing(file).tags.length === 50 && file;
  });
  return { live, ring, publisher };
}

describe('ingest', () => {
  it('is replaced when it is killed, and its streams go on', async () => {
    const { live, ring, publisher } = await startStream();
    try {
      for (let round = 0; round < 2; round++) {
        const pid = live.ingestPid!;
        kill(pid);
        await publisher.closed();
        await until('another one', () => live.ingestPid !== undefined && live.ingestPid !== pid);
        await assertGoesOn(live, ring);
      }
    } finally {
      await live.edge.end();
    }
  });

  it('goes on in the edge that takes over', async () => {
    const { live, ring, publisher } = await startStream();
    const { edge } = live;
    let next: Edge | undefined;
    try {
      const settings = LiveEdge.settings(live.rtmpPort, 'grace: 60s');
      const { port, adminPort, folder } = edge;
      next = await Edge.start({ origin: folder, ports: { port, adminPort }, folder, settings, takeOver: true });
      await publisher.closed();
      assert.ok(publisher.statuses.includes('NetConnection.Connect.ReconnectRequest'));
      await assertGoesOn(live, ring);
      await edge.exited;
    } finally {
      await next?.end();
    }
  });

  it('goes on in the edge that follows one whose supervisor was killed', async () => {
    const { live, ring, publisher } = await startStream();
    try {
      live.edge.signal('SIGKILL');
      await publisher.closed();
      await live.edge.exited;
      await live.edge.restart();
      await assertGoesOn(live, ring);
    } finally {
      await live.edge.end();
    }
  });

  it('is not hurt by workers that die, nor by publishers of other streams', async () => {
    const { live, ring, publisher } = await startStream();
    try {
      const pid = live.ingestPid;
      for (const worker of live.edge.workers) kill(worker);
      const other = await RtmpPublisher.publish(live.rtmpPort, 'live/other');
      other.write(Buffer.alloc(5000, 0xff));
      await other.closed();
      play(publisher, 1000);
      await until('all tags', () => readRing(ring).tags.length === 100);
      assert.equal(live.ingestPid, pid);
    } finally {
      await live.edge.end();
    }
  });
});
