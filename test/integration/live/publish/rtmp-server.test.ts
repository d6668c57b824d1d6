import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { connect } from 'node:net';
import { describe, it } from 'node:test';
import { selfSigned } from '../../../support/certificate.js';
import { audio, video } from '../../../support/flv.js';
import { RtmpHost, type RtmpHostOptions } from '../../../support/rtmp-host.js';
import { metadata, PUBLISHERS, RtmpPublisher } from '../../../support/rtmp-publisher.js';
import { until } from '../../../support/until.js';

/** Runs with a server that is stopped afterwards. */
async function withHost(options: RtmpHostOptions, use: (host: RtmpHost) => Promise<void>): Promise<void> {
  const host = await RtmpHost.start(options);
  try {
    await use(host);
  } finally {
    await host.stop();
  }
}

/** Sends headers, and frames of `count` times 40 ms from `from` on. */
function play(publisher: RtmpPublisher, from = 0, count = 10, fill = 1): void {
  publisher.media(18, from, metadata({ videocodecid: 7, audiocodecid: 10 }));
  publisher.media(9, from, video('config', 20, 1));
  publisher.media(8, from, audio('config', 2, 2));
  for (let i = 0; i < count; i++) {
    publisher.media(9, from + i * 40, video(i === 0 ? 'key' : 'inter', 700, fill));
    publisher.media(8, from + i * 40 + 5, audio('frame', 90, fill));
  }
}

/** Answers of a hook, and what it was asked. */
async function startHook(answer: (event: Record<string, unknown>) => number | Promise<number>) {
  const asked: Record<string, unknown>[] = [];
  const server = createServer(async (request, response) => {
    let text = '';
    for await (const chunk of request) text += chunk;
    const event = JSON.parse(text);
    asked.push(event);
    response.writeHead(await answer(event)).end();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { asked, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, stop: () => server.close() };
}

describe('RtmpServer', () => {
  for (const [name, kind] of Object.entries(PUBLISHERS)) {
    it(`takes a stream as ${name} sends it`, () =>
      withHost({}, async host => {
        // From before the end of 24 bits on, so that timestamps are extended.
        const from = 2 ** 24 - 200;
        const publisher = await RtmpPublisher.publish(host.port, 'live/cam', kind);
        play(publisher, from);
        const ring = await until('a ring with all tags', () => {
          const found = host.ring('live/cam');
          return found !== undefined && found.tags.length === 20 && found;
        });
        assert.deepEqual(
          ring.tags.map(({ type, timestamp }) => [type, timestamp]),
          Array.from({ length: 20 }, (_, i) => [i % 2 === 0 ? 9 : 8, (i >> 1) * 40 + (i % 2) * 5]),
        );
        assert.deepEqual([ring.versions.length, ring.versions[0]?.hasAudio], [1, true]);
        assert.ok(ring.tags.every(({ body }) => body.length === 705 || body.length === 92));
        await publisher.stop();
        const end = kind.after.length > 0 ? 'finished' : 'gone';
        await until('a line of its end', () => host.ends.length > 0);
        assert.deepEqual(host.ends, [end]);
        assert.deepEqual(ring.states, ['publishing', 'waiting']);
      }));
  }

  it('answers connect with what it can do of Enhanced RTMP, and asks those who can to come back', () =>
    withHost({}, async host => {
      const [obs, phone] = [
        await RtmpPublisher.publish(host.port, 'live/one', PUBLISHERS.obs),
        await RtmpPublisher.publish(host.port, 'live/two', PUBLISHERS.larix),
      ];
      host.server.requestReconnects();
      await until('a request', () => obs.statuses.includes('NetConnection.Connect.ReconnectRequest'));
      phone.command('_checkbw');
      await until('an answer', () => phone.commands.at(-1)?.name === '_result');
      assert.deepEqual(phone.statuses, ['NetStream.Publish.Start']);
      const other = await RtmpPublisher.connect(host.port);
      other.command('connect', { app: 'live' });
      const answer = await until('_result', () => other.commands.find(({ name }) => name === '_result'));
      const [properties, info] = answer.args as ReadonlyMap<string, unknown>[];
      assert.deepEqual([properties?.get('capsEx'), properties?.get('fmsVer')], [7, 'FMS/3,5,7,7009']);
      const codecs = properties?.get('videoFourCcInfoMap');
      assert.ok(codecs instanceof Map && codecs.get('hvc1') === 4);
      assert.equal(info?.get('code'), 'NetConnection.Connect.Success');
      assert.deepEqual(
        other.controls.map(({ type }) => type),
        [5, 6, 1],
      );
    }));

  it('lets in whoever has the key, behind the name or the application, and nobody else', () =>
    withHost({ rules: { keys: { 'live/cam': 's3cret' }, hook: undefined } }, async host => {
      for (const [app, name, isIn] of [
        ['live', 'cam?key=s3cret', true],
        ['live/?key=s3cret', '/cam', true],
        ['live', 'cam?key=wrong', false],
        ['live', 'cam', false],
        ['live', 'other?key=s3cret', false],
        ['live', 'toString?key=s3cret', false],
      ] as const) {
        const publisher = await RtmpPublisher.connect(host.port);
        await publisher.start(app, name);
        assert.deepEqual(
          publisher.statuses,
          [isIn ? 'NetStream.Publish.Start' : 'NetStream.Publish.Denied'],
          `${app} ${name}`,
        );
        if (isIn) await publisher.stop();
        // Refused, and closed.
        else await publisher.closed();
      }
      assert.deepEqual([...host.rings.keys()].length, 1);
    }));

  it('refuses names that are none, viewers, and commands out of order, and says so', () =>
    withHost({}, async host => {
      const start = async (act: (publisher: RtmpPublisher) => void, isConnected = true) => {
        const publisher = await RtmpPublisher.connect(host.port);
        if (isConnected) publisher.command('connect', { app: 'live' });
        act(publisher);
        await publisher.closed();
        return publisher.statuses.at(-1);
      };
      for (const name of ['', '..', 'a/../b', 'a b', 'ä', 'x'.repeat(300), 'a//b', '.hidden', '?key=1']) {
        assert.equal(await start(each => each.command('publish', null, name)), 'NetStream.Publish.Denied', name);
      }
      assert.equal(await start(each => each.command('publish', null)), 'NetStream.Publish.Denied');
      assert.equal(await start(each => each.command('play', null, 'cam')), 'NetStream.Publish.Denied');
      await start(each => each.command('publish', null, 'cam'), false);
      await start(each => each.command('connect', { app: 'live' }));
      await start(each => {
        for (let i = 0; i < 20; i++) each.command('createStream', null);
      });
      assert.deepEqual(host.server.stats.outcomes, { refused: 11, protocol: 2, limit: 1 });
      assert.equal(host.rings.size, 0);
      assert.ok(host.lines.every(({ fields }) => typeof fields.why === 'string' && fields.why.includes('expected')));
    }));

  it('asks the hook before anything is kept, reads nothing meanwhile, and tells it of the end', async () => {
    let letIn: (status: number) => void = () => {};
    const hook = await startHook(({ event }) =>
      event === 'publish' ? new Promise(resolve => (letIn = resolve)) : 200,
    );
    await withHost({ rules: { keys: {}, hook: hook.url } }, async host => {
      const publisher = await RtmpPublisher.connect(host.port, PUBLISHERS.box);
      await publisher.start('live', 'cam?token=a%20b&token2=x');
      play(publisher, 0, 2000);
      await until('a question', () => hook.asked.length === 1);
      assert.equal(host.rings.size, 0);
      assert.deepEqual(publisher.statuses, []);
      const { address, connection, ...rest } = hook.asked[0]!;
      assert.deepEqual([address, typeof connection], ['127.0.0.1', 'number']);
      assert.deepEqual(rest, {
        event: 'publish',
        stream: 'live/cam',
        app: 'live',
        name: 'cam',
        query: { token: 'a b', token2: 'x' },
        tls: false,
      });
      letIn(204);
      await until('all tags', () => host.ring('live/cam')?.tags.length === 4000);
      await publisher.stop();
      await until('the end told', () => hook.asked.length === 2);
      const { event, reason, bytes } = hook.asked[1]!;
      assert.deepEqual([event, reason, Number(bytes) > 1_500_000], ['end', 'finished', true]);
    });
    hook.stop();
  });

  it('lets nobody in whom the hook refuses, or that it can not be asked about', async () => {
    for (const status of [403, 302, 500]) {
      const hook = await startHook(() => status);
      await withHost({ rules: { keys: {}, hook: hook.url } }, async host => {
        const publisher = await RtmpPublisher.publish(host.port, 'live/cam');
        await publisher.closed();
        assert.deepEqual(publisher.statuses, ['NetStream.Publish.Denied']);
        assert.equal(host.rings.size, 0);
      });
      hook.stop();
    }
    const gone = await startHook(() => 200);
    gone.stop();
    await withHost({ rules: { keys: {}, hook: gone.url } }, async host => {
      const publisher = await RtmpPublisher.publish(host.port, 'live/cam');
      assert.deepEqual(publisher.statuses, ['NetStream.Publish.Denied']);
    });
  });

  it('turns away whom a hook that hangs is asked about, and nobody else', async () => {
    const hook = await startHook(({ name }) => (name === 'hangs' ? new Promise(() => {}) : 200));
    await withHost({ rules: { keys: {}, hook: hook.url } }, async host => {
      const waiting = await RtmpPublisher.connect(host.port, PUBLISHERS.box);
      await waiting.start('live', 'hangs');
      await until('a question', () => hook.asked.length === 1);
      // What it sends meanwhile is not read: nothing of it is kept.
      play(waiting, 0, 500);
      const other = await RtmpPublisher.publish(host.port, 'live/other');
      play(other);
      await until('its tags', () => host.ring('live/other')?.tags.length === 20);
      assert.ok(!waiting.isClosed && host.rings.size === 1);
      await waiting.closed();
      assert.deepEqual(waiting.statuses, ['NetStream.Publish.Denied']);
      assert.equal(host.rings.size, 1);
    });
    hook.stop();
  });

  it('lets in and out whoever has said goodbye before the hook has answered', async () => {
    let letIn: (status: number) => void = () => {};
    const hook = await startHook(({ event }) =>
      event === 'publish' ? new Promise(resolve => (letIn = resolve)) : 200,
    );
    await withHost({ rules: { keys: {}, hook: hook.url } }, async host => {
      const publisher = await RtmpPublisher.connect(host.port, PUBLISHERS.box);
      await publisher.start('live', 'short');
      play(publisher);
      publisher.command('FCUnpublish', null, 'short');
      publisher.command('deleteStream', null, 1);
      await until('a question', () => hook.asked.length === 1);
      letIn(200);
      await until('the end told', () => hook.asked.length === 2);
      assert.deepEqual([hook.asked[1]?.event, hook.asked[1]?.reason], ['end', 'finished']);
      const ring = host.ring('live/short')!;
      assert.equal(ring.tags.length, 20);
      assert.deepEqual(ring.states, ['publishing', 'waiting']);
      publisher.break();
    });
    hook.stop();
  });

  it('tells streams of one name and two applications apart, and takes no name for a path', () =>
    withHost({}, async host => {
      const publishers = [
        await RtmpPublisher.publish(host.port, 'live/cam'),
        await RtmpPublisher.publish(host.port, 'other/cam'),
      ];
      for (const [at, publisher] of publishers.entries()) play(publisher, 0, 10 + at, at + 1);
      await until('all tags', () => host.ring('live/cam')?.tags.length === 20);
      await until('all tags', () => host.ring('other/cam')?.tags.length === 22);
      const octets = ['cäm', 'c\u202em'].map(text => Buffer.from(text).toString('latin1'));
      for (const name of ['a%2Fb', '%2e%2e%2fcam', ...octets, 'x'.repeat(300)]) {
        const publisher = await RtmpPublisher.publish(host.port, `live/${name}`);
        assert.deepEqual(publisher.statuses, ['NetStream.Publish.Denied'], name);
      }
      assert.equal(host.rings.size, 2);
    }));

  it('tells the hook when somebody whom it let in has gone meanwhile', async () => {
    let letIn: (status: number) => void = () => {};
    const hook = await startHook(({ event }) =>
      event === 'publish' ? new Promise(resolve => (letIn = resolve)) : 200,
    );
    await withHost({ rules: { keys: {}, hook: hook.url } }, async host => {
      const publisher = await RtmpPublisher.connect(host.port, PUBLISHERS.box);
      await publisher.start('live', 'cam');
      await until('a question', () => hook.asked.length === 1);
      publisher.break();
      await until('its end', () => host.ends.length === 1);
      letIn(200);
      await until('the end told', () => hook.asked.length === 2);
      assert.deepEqual([hook.asked[1]?.event, hook.asked[1]?.reason], ['end', 'gone']);
      assert.equal(host.rings.size, 0);
    });
    hook.stop();
  });

  it('gives a stream to another publisher who may have it (ghosts: nginx-rtmp 1152, NMS 381), and goes on', () =>
    withHost({}, async host => {
      const ghost = await RtmpPublisher.publish(host.port, 'live/cam');
      play(ghost, 500_000);
      await until('its tags', () => host.ring('live/cam')?.tags.length === 20);
      const next = await RtmpPublisher.publish(host.port, 'live/cam');
      await ghost.closed();
      play(next, 3, 10, 2);
      const ring = host.ring('live/cam')!;
      await until('all tags', () => ring.tags.length === 40);
      // What the ghost sends still reaches nobody.
      assert.deepEqual(
        ring.tags.slice(20).map(({ body }) => body.charCodeAt(50)),
        Array.from({ length: 20 }, () => 2),
      );
      for (const type of [8, 9]) {
        const times = ring.tags.filter(each => each.type === type).map(({ timestamp }) => timestamp);
        assert.deepEqual(
          times,
          times.toSorted((a, b) => a - b),
        );
      }
      assert.deepEqual(ring.states, ['publishing', 'waiting', 'publishing']);
      assert.deepEqual(host.ends, ['replaced']);
    }));

  it('lets a publisher that has finished close the connection, or publish again by it', () =>
    withHost({}, async host => {
      const publisher = await RtmpPublisher.publish(host.port, 'live/one');
      for (const name of PUBLISHERS.obs.after) publisher.command(name, null, 'one');
      await until('its end', () => host.ends.length === 1);
      publisher.commands.length = 0;
      publisher.command('publish', null, 'two', 'live');
      await until('its second stream', () => publisher.isPublishing);
      play(publisher, 7000);
      await until('its tags', () => host.ring('live/two')?.tags.length === 20);
      assert.equal(publisher.isClosed, false);
      await publisher.stop();
      await until('its end', () => host.ends.length === 2);
      assert.deepEqual(host.ends, ['finished', 'finished']);
      assert.deepEqual(host.server.stats.outcomes, { accepted: 2, finished: 2 });
    }));

  it('leaves the first publisher alone when takeover is never', () =>
    withHost({ takeover: false }, async host => {
      const first = await RtmpPublisher.publish(host.port, 'live/cam');
      const second = await RtmpPublisher.publish(host.port, 'live/cam');
      await second.closed();
      assert.deepEqual([first.isPublishing, first.isClosed, second.isPublishing], [true, false, false]);
    }));

  it('takes ten restarts of a publisher (SRS 4538, MediaMTX 2214, Red5 50) for one stream, with times that go on', () =>
    withHost({}, async host => {
      for (let restart = 0; restart < 10; restart++) {
        const publisher = await RtmpPublisher.publish(host.port, 'live/cam', PUBLISHERS.ffmpeg);
        play(publisher, restart % 2 === 0 ? 0 : 2 ** 31 - 100);
        await until('its tags', () => host.ring('live/cam')?.tags.length === 20 * (restart + 1));
        if (restart % 3 === 0) publisher.break();
        else await publisher.stop();
        await until('its end', () => host.ends.length === restart + 1);
      }
      assert.equal(host.rings.size, 1);
      const times = host
        .ring('live/cam')!
        .tags.filter(({ type }) => type === 9)
        .map(({ timestamp }) => timestamp);
      assert.deepEqual(
        times,
        times.toSorted((a, b) => a - b),
      );
      assert.ok(times.at(-1)! < 60_000, `${times.at(-1)} ms`);
    }));

  it('ends a stream when its publisher does not come back within the grace', () =>
    withHost({ grace: 50 }, async host => {
      const publisher = await RtmpPublisher.publish(host.port, 'live/cam');
      play(publisher);
      const ring = await until('its tags', () => host.ring('live/cam'));
      publisher.break();
      await until('its end', () => host.streams.places.length === 0);
      assert.deepEqual(ring.states, ['publishing', 'waiting', 'ended']);
      assert.equal(host.streams.publishers, 0);
    }));

  it('lets go of a stream whose ring another process has taken, and of no other', () =>
    withHost({}, async host => {
      const [one, two] = [
        await RtmpPublisher.publish(host.port, 'live/one'),
        await RtmpPublisher.publish(host.port, 'live/two'),
      ];
      play(one);
      play(two);
      await until('their tags', () =>
        [1, 2].every(i => host.ring(`live/${i === 1 ? 'one' : 'two'}`)?.tags.length === 20),
      );
      const ring = host.ring('live/one')!;
      ring.isTaken = true;
      play(one, 400);
      await one.closed();
      assert.deepEqual(ring.states.at(-1), 'left');
      assert.deepEqual(
        host.streams.places.map(({ name }) => name),
        ['live/two'],
      );
      play(two, 400);
      await until('its tags', () => host.ring('live/two')?.tags.length === 40);
      assert.equal((await RtmpPublisher.publish(host.port, 'live/one')).isPublishing, true);
    }));

  it('has no more publishers than it should', () =>
    withHost({ maxPublishers: 2 }, async host => {
      const publishers: RtmpPublisher[] = [];
      for (const name of ['a', 'b', 'c']) publishers.push(await RtmpPublisher.publish(host.port, `live/${name}`));
      assert.deepEqual(
        publishers.map(({ isPublishing }) => isPublishing),
        [true, true, false],
      );
      await publishers[0]!.stop();
      await until('room', () => host.streams.publishers === 1);
      // Also for a stream that waits.
      assert.equal((await RtmpPublisher.publish(host.port, 'live/c')).isPublishing, true);
      assert.equal((await RtmpPublisher.publish(host.port, 'live/a')).isPublishing, false);
    }));

  it('makes room for others when many connect and publish nothing', () =>
    withHost({}, async host => {
      const idle = Array.from({ length: 300 }, () => connect(host.port, '127.0.0.1').on('error', () => {}));
      await until('some have to go', () => host.server.stats.outcomes.limit === 44);
      const publisher = await RtmpPublisher.publish(host.port, 'live/cam');
      assert.equal(publisher.isPublishing, true);
      for (const socket of idle) socket.destroy();
    }));

  it('gives up those that say nothing, before they publish and afterwards, but none that answers', () =>
    withHost({ arrival: 100, silence: 2000 }, async host => {
      const idle = connect(host.port, '127.0.0.1').resume();
      await once(idle, 'close');
      const [mute, polite] = [
        await RtmpPublisher.publish(host.port, 'live/mute'),
        await RtmpPublisher.publish(host.port, 'live/polite'),
      ];
      let answered = 0;
      await until('the mute one is given up', () => {
        const pings = polite.controls.filter(({ type, payload }) => type === 4 && payload[1] === 6);
        for (; answered < pings.length; answered++) polite.message(2, 4, 0, Buffer.from([0, 7, 0, 0, 0, 0]));
        return mute.isClosed;
      });
      assert.ok(answered > 0);
      assert.equal(polite.isClosed, false);
      assert.deepEqual(host.ends, ['silent', 'silent']);
      assert.deepEqual(host.ring('live/mute')?.states, ['publishing', 'waiting']);
    }));

  it('cuts off publishers that break the rules, and nobody else', () =>
    withHost({}, async host => {
      const good = await RtmpPublisher.publish(host.port, 'live/good', PUBLISHERS.ffmpeg);
      const hostile: ((publisher: RtmpPublisher) => void)[] = [
        publisher => publisher.write(Buffer.alloc(100, 0xff)),
        publisher => publisher.write(Buffer.from([0x04, 0, 0, 0, 0xff, 0xff, 0xff, 9, 1, 0, 0, 0])),
        publisher => publisher.setChunkSize(0),
        publisher => publisher.message(2, 1, 0, Buffer.alloc(2)),
        publisher => publisher.media(9, 0, video('config', 60_000, 1)),
        publisher => publisher.message(3, 20, 0, Buffer.from([5])),
        publisher => publisher.message(4, 22, 0, Buffer.alloc(40, 9)),
      ];
      for (const [i, act] of hostile.entries()) {
        const publisher = await RtmpPublisher.publish(host.port, `live/bad${i}`);
        act(publisher);
        await publisher.closed();
      }
      assert.equal(host.ends.length, hostile.length);
      assert.ok(
        host.ends.every(reason => reason === 'protocol' || reason === 'limit'),
        String(host.ends),
      );
      play(good);
      await until('all tags', () => host.ring('live/good')?.tags.length === 20);
    }));

  it('stops reading from whoever reads no answers', () =>
    withHost({}, async host => {
      const publisher = await RtmpPublisher.publish(host.port, 'live/cam');
      publisher.socket.pause();
      const pings = Buffer.concat(
        Array.from({ length: 1000 }, () => Buffer.from([0x42, 0, 0, 0, 0, 0, 6, 4, 0, 6, 1, 2, 3, 4])),
      );
      let isFull = false;
      for (let i = 0; i < 5000 && !isFull; i++) {
        isFull = await new Promise<boolean>(resolve => {
          const timer = setTimeout(resolve, 1000, true);
          publisher.socket.write(pings, () => {
            clearTimeout(timer);
            resolve(false);
          });
        });
      }
      assert.ok(isFull, 'it is not read any more');
      publisher.break();
      await until('its end', () => host.ends.length === 1);
    }));

  it('speaks RTMPS with a certificate, and tells others why not', async () => {
    const tls = selfSigned();
    await withHost({ tls }, async host => {
      const publisher = await RtmpPublisher.publish(host.port, 'live/cam', PUBLISHERS.obs, tls.cert);
      play(publisher);
      await until('all tags', () => host.ring('live/cam')?.tags.length === 20);
      await publisher.stop();
      const plain = connect(host.port, '127.0.0.1').on('error', () => {});
      plain.resume();
      plain.write(Buffer.alloc(1537, 3));
      await once(plain, 'close');
      assert.equal(host.server.stats.outcomes.protocol, 1);
      // A renewed certificate is for new connections; one that can't be used changes nothing.
      const renewed = selfSigned(['localhost', 'renewed']);
      const old = await RtmpPublisher.publish(host.port, 'live/old', PUBLISHERS.obs, tls.cert);
      host.server.renewTls(renewed);
      assert.throws(() => host.server.renewTls({ cert: 'garbage', key: renewed.key }));
      const next = await RtmpPublisher.publish(host.port, 'live/next', PUBLISHERS.obs, renewed.cert);
      await assert.rejects(RtmpPublisher.connect(host.port, PUBLISHERS.obs, tls.cert), /self-signed|verify/);
      for (const each of [old, next]) {
        assert.equal(each.isPublishing, true);
        await each.stop();
      }
    });
  });
});
