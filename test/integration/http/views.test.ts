import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, test } from 'node:test';
import { EdgeError } from '../../../src/base/errors.js';
import type { ContentRequest, OpenObject, OpenStream } from '../../../src/catalog/content.js';
import { SeekViews } from '../../../src/view/seek/seek-views.js';
import type { MadeView, View, ViewKind, ViewStage } from '../../../src/view/view.js';
import { Views } from '../../../src/view/views.js';
import { literal, source } from '../../../src/virtual-file/span.js';
import { contentAt } from '../../support/content.js';
import { FakeObject } from '../../support/fake-content.js';
import { ENGINES, listening, startEdge } from '../../support/http-edge.js';
import { fetchRaw, RawConnection } from '../../support/raw-http.js';
import { until } from '../../support/until.js';

for (const engine of ENGINES)
  describe(`over ${engine}`, () => {
    const HINT = { start: 5, end: 6 };

    /** `FILE/tail?bytes=N`: the last bytes of a file, which may be kept for ever. */
    const tails: ViewKind = {
      parameters: ['bytes'],
      find({ path, parameters }) {
        if (!path.endsWith('/tail')) return undefined;
        const length = Number(parameters.get('bytes') ?? 10);
        return {
          path: path.slice(0, -'/tail'.length),
          hint: HINT,
          make: opened => {
            if (opened.kind === 'stream') throw new EdgeError('unplayable', 'a file of unknown size has no tail yet');
            const { size, lastModified } = opened.object;
            const etag = `"tail-${length}"`;
            const spans = [source(size - length, length)];
            const file = { size: length, etag, lastModified, contentType: 'text/plain', spans, seekActual: undefined };
            return {
              kind: 'file',
              opened,
              file,
              fields: [
                ['cache-control', 'immutable'],
                ['X-Of', 'tail'],
              ],
            };
          },
        };
      },
    };

    /** `FILE/with/NAME/sizes`: a list of two objects. */
    class Sizes implements View {
      readonly hint = HINT;

      constructor(
        readonly path: string,
        private readonly other: string,
        private readonly wait: Promise<unknown> | undefined,
      ) {}

      make(opened: OpenObject | OpenStream, request: ContentRequest, stage: ViewStage): MadeView | Promise<MadeView> {
        const { host, query, asker } = request;
        const field = (name: string) => request.field(name);
        const open = () => stage.content.open({ host, path: this.other, query, hint: this.hint, asker, field });
        if (this.wait !== undefined) return this.wait.then(open).then(other => this.#list(opened, other));
        const other = open();
        return other instanceof Promise ? other.then(late => this.#list(opened, late)) : this.#list(opened, other);
      }

      #list(first: OpenObject | OpenStream, second: OpenObject | OpenStream): MadeView {
        assert.ok(first.kind === 'object' && second.kind === 'object');
        const text = Buffer.from(`${first.object.size}\n${second.object.size}\n`);
        const release = () => {
          first.release();
          second.release();
        };
        const opened = { ...first, age: Math.max(first.age, second.age), release };
        const etag = `"${createHash('sha256').update(first.object.etag).update(second.object.etag).digest('hex')}"`;
        const spans = [literal(text)];
        const about = { size: text.length, lastModified: undefined, contentType: 'text/plain', seekActual: undefined };
        return { kind: 'file', opened, file: { ...about, etag, spans }, fields: [] };
      }
    }

    function sizes(wait?: Promise<unknown>): ViewKind {
      return {
        parameters: [],
        find({ path }) {
          const [, first, second] = /^(\/[^/]+)\/with(\/[^/]+)\/sizes$/.exec(path) ?? [];
          return first && second ? new Sizes(first, second, wait) : undefined;
        },
      };
    }

    async function edgeWith(kinds: readonly ViewKind[]) {
      const edge = await startEdge({ views: new Views(kinds), dropQuery: ['utm', 'bytes'] }, listening(engine));
      const film = new FakeObject(contentAt('/film.mp4', 'v1', 0, 700_000), {
        fields: [
          ['Cache-Control', 'no-store'],
          ['X-Stored', 'yes'],
        ],
      });
      const other = new FakeObject(contentAt('/other.mp4', 'v1', 0, 300_000));
      edge.content.paths.set('/film.mp4', film).set('/other.mp4', other);
      const get = (target: string, fields = {}, method = 'GET') => fetchRaw(edge.port, method, target, fields);
      return { ...edge, film, other, get };
    }

    test('a view of a path is a file with fields of its own, of the object that the path names', async () => {
      const { get, content, film } = await edgeWith([tails, new SeekViews('off')]);
      const whole = await get('/film.mp4/tail?token=x&bytes=100&utm=1');
      assert.equal(whole.status, 200);
      assert.deepEqual(whole.body, film.bytes.subarray(-100));
      const { path, query, hint } = content.requests[0]!;
      assert.deepEqual({ path, query, hint }, { path: '/film.mp4', query: 'token=x', hint: HINT });
      assert.equal(whole.fields['cache-control'], 'immutable', "not the object's");
      assert.equal(whole.fields['x-of'], 'tail');
      assert.equal(whole.fields['x-stored'], 'yes');
      assert.equal(whole.fields['content-type'], 'text/plain');

      const range = await get('/film.mp4/tail', { Range: 'bytes=2-4' });
      assert.deepEqual([range.status, range.fields['content-range']], [206, 'bytes 2-4/10']);
      assert.deepEqual(range.body, film.bytes.subarray(-8, -5));
      const parts = await get('/film.mp4/tail', { Range: 'bytes=0-1,5-6' });
      assert.deepEqual([parts.status, parts.fields['x-of'], parts.fields['cache-control']], [206, 'tail', 'immutable']);
      const same = await get('/film.mp4/tail', { 'If-None-Match': '"tail-10"' });
      assert.deepEqual([same.status, same.fields['cache-control'], same.fields['x-of']], [304, 'immutable', undefined]);
      const head = await get('/film.mp4/tail', {}, 'HEAD');
      assert.deepEqual([head.status, head.fields['content-length']], [200, '10']);
      assert.deepEqual(content.requests.at(-1)!.hint, { start: 0, end: 1 });
      assert.equal(film.releases, 5);
    });

    test('parameters of a view are no part of any URL, and the first kind that knows a target has it', async () => {
      const all: ViewKind = { parameters: [], find: target => tails.find({ ...target, path: `${target.path}/tail` }) };
      const { get, content } = await edgeWith([tails, new SeekViews('off'), all]);
      assert.equal((await get('/film.mp4?a=1&bytes=20&start=undefined&b=2')).fields['content-length'], '700000');
      assert.equal(content.requests[0]!.query, 'a=1&b=2');
      assert.equal((await get('/film.mp4?bytes=20')).fields['content-length'], '20');
    });

    test('a view of what has no size yet is its own affair', async () => {
      const { get, content } = await edgeWith([tails]);
      let releases = 0;
      content.paths.set('/live', {
        kind: 'stream',
        contentType: 'video/mp4',
        fields: [],
        start: () => assert.fail('it is not sent'),
        release: () => void releases++,
      });
      const { status, body } = await get('/live/tail');
      assert.deepEqual([status, body.toString(), releases], [422, 'a file of unknown size has no tail yet\n', 1]);
    });

    for (const [name, late, wait] of [
      ['at once', false, undefined],
      ['that have to be waited for', true, undefined],
      ['the second of which is asked for later', false, Promise.resolve()],
    ] as const) {
      test(`a view of two objects, ${name}`, async () => {
        const { get, content, film, other } = await edgeWith([sizes(wait)]);
        film.age = 3;
        other.age = 8;
        if (late) content.gate = Promise.resolve();
        const { status, body, fields } = await get('/film.mp4/with/other.mp4/sizes?token=x', {
          Authorization: 'Bearer y',
        });
        assert.deepEqual([status, body.toString(), fields.age], [200, '700000\n300000\n', '8']);
        const [first, second] = content.requests;
        assert.deepEqual([first!.path, second!.path, second!.query], ['/film.mp4', '/other.mp4', 'token=x']);
        assert.equal(second!.host, first!.host);
        if (late || wait)
          assert.equal(second!.field('authorization'), 'Bearer y', 'fields are kept as long as it is made');
        assert.deepEqual([film.releases, other.releases], [1, 1]);
      });
    }

    test('a view that fails lets go of what was opened', async () => {
      for (const wait of [undefined, Promise.resolve()]) {
        const { get, film } = await edgeWith([sizes(wait)]);
        assert.equal((await get('/film.mp4/with/none.mp4/sizes')).status, 404);
        assert.equal(film.releases, 1);
      }
    });

    test('a player that leaves while its view is made', async () => {
      let goOn = () => {};
      const wait = new Promise<void>(resolve => {
        goOn = resolve;
      });
      const { port, server, film, other } = await edgeWith([sizes(wait)]);
      const player = await RawConnection.open(port);
      player.request('GET', '/film.mp4/with/other.mp4/sizes');
      await until('the view is being made', () => server.stats.openResponses === 1);
      player.socket.resetAndDestroy();
      await until('the player has left', () => server.stats.openResponses === 0);
      goOn();
      await until('both are let go', () => film.releases === 1 && other.releases === 1);
      assert.equal(server.stats.abortedResponses, 1);
    });
  });
