import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Viewer } from '../../../../src/live/delivery/viewer.js';
import { audio, video } from '../../../support/flv.js';
import { LiveRig } from '../../../support/live-rig.js';
import { gotTags, TestSocket } from '../../../support/test-viewer.js';
import { until } from '../../../support/until.js';

describe('turns of a process', () => {
  it('sends to all waves of all streams, and to who comes when all have left', async () => {
    // No descriptor: the front end has these sockets, each of which is asked by itself.
    const rig = new LiveRig({ batch: 50 });
    const streams = ['app/one', 'app/two'].map(name => {
      const writer = rig.publish(name);
      writer.setHeaders({ video: video('config', 9, 1), audio: audio('config', 4, 1), hasVideo: true, hasAudio: true });
      writer.append({ type: 9, timestamp: 0, keyFrame: true, body: [video('key', 500, 1)] });
      return { name, writer, stream: rig.viewing.find(name)! };
    });
    const all = streams.flatMap(({ stream }) =>
      Array.from({ length: 600 }, () => {
        const socket = new TestSocket(0);
        const viewer = new Viewer(socket, 'http', 'newest');
        socket.leave = () => stream.remove(viewer);
        rig.viewing.watch(stream, viewer);
        return { socket, viewer, stream };
      }),
    );
    assert.deepEqual(
      streams.map(({ stream }) => stream.waves.length),
      [3, 3],
    );
    for (let at = 1; at <= 5; at++) {
      for (const { writer } of streams) {
        writer.append({ type: 9, timestamp: at * 40, keyFrame: false, body: [video('inter', 500, at)] });
      }
      const whole = 2 + 1 + at;
      await until(`${whole} tags`, () => all.every(({ socket }) => gotTags(socket.bytes).tags.length === whole));
    }
    for (const { stream, viewer } of all) stream.remove(viewer);
    const [{ writer, stream, name }] = streams as [(typeof streams)[0]];
    // Turns are given up when nobody is left; who comes then has one again.
    writer.append({ type: 9, timestamp: 1000, keyFrame: true, body: [video('key', 500, 7)] });
    const socket = new TestSocket(0);
    const late = new Viewer(socket, 'http', 'newest');
    rig.viewing.watch(stream, late);
    writer.append({ type: 9, timestamp: 1040, keyFrame: false, body: [video('inter', 500, 8)] });
    await until('the late viewer has all', () => gotTags(socket.bytes).tags.length === 4);
    writer.setState('ended');
    await until('its answer ends', () => socket.ended);
    rig.forget(name);
  });
});
