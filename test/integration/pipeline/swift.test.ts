import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { after, before, describe, it } from 'node:test';
import { silentLog } from '../../../src/base/log.js';
import { type Config, defaultConfig } from '../../../src/config/schema.js';
import type { PublishedFilm } from '../../../src/pipeline/jobs/job.js';
import { withConditions } from '../../../src/pipeline/storage/conditional-check.js';
import { filmPrefix, uploadPrefix } from '../../../src/pipeline/storage/layout.js';
import { type ObjectStorage, removeAll } from '../../../src/pipeline/storage/object-storage.js';
import { FilmMaker } from '../../../src/pipeline/transcode/film-maker.js';
import { PieceStore } from '../../../src/pipeline/upload/piece-store.js';
import { Upload } from '../../../src/pipeline/upload/tus.js';
import { Edge } from '../../support/edge.js';
import { Etcd } from '../../support/etcd.js';
import { MediaFolder } from '../../support/ffmpeg.js';
import { SWIFT_MISSING, SwiftStore } from '../../support/swift.js';
import { until } from '../../support/until.js';

const PREFIX = 'main';

/** Real Swift: three zones, three copies; it knows no conditional writes, so an etcd says who was first. */
describe('uploads and films in Swift', { skip: SWIFT_MISSING }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'moovedge-swift-test-'));
  const settings = { ...defaultConfig().transcode, qualities: [180, 120], preset: 'ultrafast' as const };
  let swift: SwiftStore;
  let etcd: Etcd;
  let media: MediaFolder;
  let config: Config;
  let storage: ObjectStorage;
  let film: Buffer;

  before(async () => {
    swift = await SwiftStore.start();
    etcd = await Etcd.start();
    media = await MediaFolder.make();
    const reached = {
      endpoints: [...etcd.urls],
      prefix: '/moovedge',
      username: undefined,
      password: undefined,
      tls: {},
    };
    config = { ...defaultConfig(), storage: { url: `s3://${swift.bucket}/${PREFIX}`, etcd: reached } } as Config;
    storage = await withConditions(swift.storage(PREFIX), config);
    const picture = ['-f', 'lavfi', '-i', 'testsrc2=size=320x180:rate=25:duration=6'];
    film = await readFile(await media.ffmpeg('film.mkv', ...picture, '-c:v', 'libx264', '-crf', '10'));
  });
  after(async () => {
    storage?.close();
    await Promise.all([swift?.end(), etcd?.end(), media?.remove()]);
    rmSync(folder, { recursive: true, force: true });
  });

  /** Uploads the film by several requests, each to a server that knows nothing of those before. */
  async function upload(): Promise<string> {
    const id = randomBytes(16).toString('hex');
    const options = { storage, expire: 3_600_000, log: silentLog, finished: async () => {}, removed: async () => {} };
    await new PieceStore(options).create(new Upload({ id, size: film.length, offset: 0 }));
    for (let offset = 0; offset < film.length; ) {
      const server = new PieceStore(options);
      assert.equal((await server.getUpload(id)).offset, offset);
      const body = film.subarray(offset, offset + Math.ceil(film.length / 3));
      offset = await server.write(Readable.from([body]), id, offset);
    }
    return id;
  }

  async function make(id: string): Promise<PublishedFilm> {
    const options = { signal: new AbortController().signal, progress() {}, mayPublish: async () => {} };
    return await new FilmMaker(storage, settings, folder).make(id, options);
  }

  async function keysOf(prefix: string): Promise<string[]> {
    const keys: string[] = [];
    for await (const key of storage.list(prefix)) keys.push(key);
    return keys;
  }

  /** Whether each object is in all three zones, at the places that the ring names. */
  async function areWhole(keys: readonly string[]): Promise<boolean> {
    const places = await swift.places(keys.map(key => `${PREFIX}/${key}`));
    assert.equal(places.length, 3 * keys.length);
    for (const key of keys) {
      const zones = new Set(places.filter(({ name }) => name.endsWith(`/${key}`)).map(({ zone }) => zone));
      assert.equal(zones.size, 3, `${key} is to lie in ${[...zones]}`);
    }
    return places.every(({ held }) => held);
  }

  it('are refused without an etcd, because Swift writes on no condition', async () => {
    await assert.rejects(withConditions(swift.storage(PREFIX), defaultConfig()), {
      code: 'bad_config',
      message: /expected a store that heeds If-None-Match: \*, or storage\.etcd/,
    });
  });

  it('are whole or not there, in parts when they are large, and each in three zones', async () => {
    const file = join(folder, 'large');
    const bytes = randomBytes(65 * 1024 * 1024);
    writeFileSync(file, bytes);
    await storage.putFile('large/of/parts', file, 'video/mp4', new AbortController().signal);
    assert.equal(await storage.head('large/of/parts'), bytes.length);
    assert.ok((await storage.get('large/of/parts'))!.equals(bytes));
    assert.equal(await storage.head('large/of'), undefined);
    await storage.remove('large/of/parts');
    assert.equal(await storage.head('large/of/parts'), undefined);
  });

  it('are published once by several makers', async () => {
    const id = await upload();
    const films = await Promise.all([make(id), make(id)]);
    assert.equal(films[0]!.attempt, films[1]!.attempt);
    const { attempt } = films[0]!;
    const left = async () => (await keysOf(filmPrefix(id))).filter(key => !key.includes(attempt));
    await until('the other attempt to be gone', async () => (await left()).join() === `${filmPrefix(id)}winner.json`);
    assert.ok(await areWhole(await keysOf(filmPrefix(id))));
  });

  it('go on while a zone is off, come back to it, and are restored on a disk that was wiped', async () => {
    await swift.zoneOff(1);
    const id = await upload();
    const { hls, attempt } = await make(id);
    const { endpoint, credentials } = swift.s3;
    const keys = `accessKeyId: "${credentials.accessKeyId}", secretAccessKey: "${credentials.secretAccessKey}"`;
    const edge = await Edge.start({
      memory: '64MiB',
      origin: `[{name: films, url: "s3://films/${PREFIX}/films", s3: {endpoint: "${endpoint}", ${keys}}}]`,
    });
    try {
      const playlist = await (await fetch(`${edge.url}/${hls}`)).text();
      const variants = playlist.split('\n').filter(line => line !== '' && !line.startsWith('#'));
      assert.equal(variants.length, 2, playlist);
      const base = new URL(variants[0]!, `${edge.url}/${hls}`);
      const media = await (await fetch(base)).text();
      const segments = media.split('\n').filter(line => line !== '' && !line.startsWith('#'));
      assert.ok(segments.length > 0, media);
      for (const segment of segments) {
        const answer = await fetch(new URL(segment, base));
        assert.equal(answer.status, 200);
        assert.ok((await answer.arrayBuffer()).byteLength > 1000);
      }
    } finally {
      await edge.end();
    }
    await swift.zoneOn(1);
    const list = async () => (await keysOf(filmPrefix(id))).filter(key => key.includes(attempt));
    const outputs = await until('the list of outputs', async () => {
      const found = await list();
      return found.length === 5 ? found : undefined;
    });
    const all = [...outputs, `${filmPrefix(id)}winner.json`];
    assert.equal(await areWhole(all), false, 'a zone that is off has taken objects');
    await swift.replicate();
    assert.ok(await areWhole(all), 'not all is where it belongs');
    const before = await Promise.all(all.map(key => storage.get(key)));
    swift.wipe('d0');
    swift.wipe('d5');
    const wiped = await Promise.all(all.map(key => storage.get(key)));
    assert.ok(wiped.every((bytes, index) => bytes!.equals(before[index]!)));
    await swift.replicate();
    assert.ok(await areWhole(all), 'the wiped disks do not have all again');
    await removeAll(storage, uploadPrefix(id));
  });
});
