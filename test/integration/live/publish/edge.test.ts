import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { programPath } from '../../../packages.mjs';
import { audio, video } from '../../../support/flv.js';
import { LiveEdge, readRing } from '../../../support/live-edge.js';
import { ffmpegPublishing, gstreamerPublishing, Program } from '../../../support/rtmp-programs.js';
import { PUBLISHERS, RtmpPublisher } from '../../../support/rtmp-publisher.js';
import { until } from '../../../support/until.js';

/** Times of the frames of a type never go back. */
function assertForward(tags: readonly { type: number; timestamp: number }[]): void {
  for (const type of [8, 9]) {
    const times = tags.filter(tag => tag.type === type).map(({ timestamp }) => timestamp);
    assert.deepEqual(
      times,
      times.toSorted((a, b) => a - b),
    );
  }
}

describe('an edge with an RTMP port', () => {
  let live: LiveEdge;
  before(async () => {
    live = await LiveEdge.start('grace: 60s');
  });
  after(() => live.edge.end());

  for (const only of ['both', 'video', 'audio'] as const) {
    it(`takes what ffmpeg publishes: ${only}`, async () => {
      const name = `live/ffmpeg-${only}`;
      const picture = { url: live.url(name), duration: 2, ...(only !== 'both' && { only }) };
      const program = new Program('ffmpeg', ffmpegPublishing(picture));
      assert.equal(await program.exited, 0, program.errors);
      assert.equal(program.errors, '');
      const ring = live.rings.find(file => file.includes(`ffmpeg-${only}`))!;
      const { headers, tags } = await until('the end', () => {
        const found = readRing(ring);
        return found.state === 'waiting' && found;
      });
      assert.deepEqual([headers?.hasVideo, headers?.hasAudio], [only !== 'audio', only !== 'video']);
      assert.equal(headers?.metadata?.subarray(3, 13).toString(), Buffer.from('onMetaData').toString());
      assertForward(tags);
      const count = (type: number) => tags.filter(tag => tag.type === type).length;
      if (only !== 'audio') assert.equal(count(9), 50);
      if (only !== 'video') assert.ok(count(8) >= 86, `${count(8)} frames of sound`);
      const [first] = tags;
      assert.equal(first?.timestamp, 0);
    });
  }

  it('takes what GStreamer publishes', { skip: programPath('gst-launch-1.0') === undefined }, async () => {
    const program = new Program('gst-launch-1.0', gstreamerPublishing({ url: live.url('live/gst'), duration: 2 }));
    assert.equal(await program.exited, 0, program.errors);
    const ring = live.rings.find(file => file.includes('gst'))!;
    const { headers, tags } = readRing(ring);
    assert.deepEqual([headers?.hasVideo, headers?.hasAudio], [true, true]);
    assertForward(tags);
    assert.equal(tags.filter(tag => tag.type === 9).length, 50);
  });

  it('tells of streams and publishers in /stats and in metrics', async () => {
    const publisher = await RtmpPublisher.publish(live.rtmpPort, 'live/told', PUBLISHERS.obs);
    publisher.media(9, 0, video('config', 20, 1));
    publisher.media(8, 0, audio('config', 2, 1));
    for (let i = 0; i < 50; i++) publisher.media(9, i * 40, video(i % 25 === 0 ? 'key' : 'inter', 1000, i));
    const told = await until('its stream', async () =>
      (await live.streams()).find(({ name, bytes = 0 }) => name === 'live/told' && bytes > 50_000),
    );
    assert.deepEqual([told.state, told.video, told.audio], ['publishing', 'avc1', 'mp4a']);
    assert.match(String(told.publisher?.program), /FMLE/);
    const text = await (await fetch(`${live.edge.admin}/metrics`)).text();
    assert.match(text, /^moovedge_live_streams 1$/m);
    assert.match(text, /^moovedge_live_publishers_total\{outcome="accepted"\} \d+$/m);
    assert.match(text, /^moovedge_live_ingest_bytes_total [1-9]\d+$/m);
    await publisher.stop();
  });

  it('keeps its streams over reloads, which change who may publish', async () => {
    const first = await RtmpPublisher.publish(live.rtmpPort, 'live/kept');
    live.edge.configure(LiveEdge.settings(live.rtmpPort, 'publish: {keys: {live/kept: s3cret}}'));
    live.edge.signal('SIGHUP');
    await live.edge.logged('"reloaded"');
    await until('the new rules', async () => !(await RtmpPublisher.publish(live.rtmpPort, 'live/other')).isPublishing);
    assert.equal(first.isClosed, false);
    assert.equal((await RtmpPublisher.publish(live.rtmpPort, 'live/kept?key=s3cret')).isPublishing, true);
    await first.closed();
  });
});

describe('an edge that reloads', () => {
  it('takes streams from a reload on that brings a port, and none after one that takes it away', async () => {
    const live = await LiveEdge.start();
    try {
      const publisher = await RtmpPublisher.publish(live.rtmpPort, 'live/cam');
      publisher.media(8, 0, audio('frame', 20, 1));
      await until('a ring', () => live.rings.length === 1);
      live.edge.configure('');
      live.edge.signal('SIGHUP');
      await publisher.closed();
      await until('no ingest', () => live.ingestPid === undefined);
      assert.deepEqual(live.rings, []);
      await until('reloaded', () => (live.edge.log.match(/"reloaded"/g) ?? []).length === 1);
      live.edge.configure(LiveEdge.settings(live.rtmpPort));
      live.edge.signal('SIGHUP');
      await until('reloaded', () => (live.edge.log.match(/"reloaded"/g) ?? []).length === 2);
      assert.equal((await RtmpPublisher.publish(live.rtmpPort, 'live/cam')).isPublishing, true);
    } finally {
      await live.edge.end();
    }
  });
});

describe('an edge that ends', () => {
  it('ends its streams and leaves no ring', async () => {
    const live = await LiveEdge.start();
    const publisher = await RtmpPublisher.publish(live.rtmpPort, 'live/cam', PUBLISHERS.obs);
    publisher.media(8, 0, audio('frame', 20, 1));
    await until('a ring', () => live.rings.length === 1);
    const [ring = ''] = live.rings;
    assert.equal(await live.edge.stop(), 0);
    assert.ok(publisher.statuses.includes('NetConnection.Connect.ReconnectRequest'));
    await publisher.closed();
    assert.equal(existsSync(ring), false);
    await live.edge.end();
  });
});
