import assert from 'node:assert/strict';
import { copyFileSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { partitionOf } from '../../../src/cluster/map/partition-of.js';
import { clusterSettings } from '../../support/cluster-settings.js';
import { Edge } from '../../support/edge.js';
import { Etcd } from '../../support/etcd.js';
import { freePorts } from '../../support/ports.js';
import { until } from '../../support/until.js';

/** Films of the clips that come with the product, and subtitles beside one of them. */
const SAMPLES = new URL('../../../src/samples', import.meta.url).pathname;
const FILM = '/bframes-faststart.mp4';
const OTHER = '/long-gop.mp4';
const SET = '/,bframes-faststart,long-gop,.mp4.urlset';

let folder: string;
let etcd: Etcd;
let edges: Edge[];
before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'moovedge-kinds-'));
  for (const file of readdirSync(SAMPLES))
    if (/\.(mp4|flv)$/.test(file)) copyFileSync(join(SAMPLES, file), join(folder, file));
  writeFileSync(join(folder, 'bframes-faststart.en.srt'), '1\n00:00:00,500 --> 00:00:02,000\nHello\n');
  etcd = await Etcd.start();
  const ports = await freePorts(2);
  edges = await Promise.all(
    ports.map((port, at) => {
      const more = ', partitions: 64, replicas: 1, warmUp: {share: [0%]}';
      const settings = clusterSettings({ id: `edge-${at + 1}`, port, endpoints: etcd.urls, more });
      return Edge.start({ origin: folder, settings, workers: 1 });
    }),
  );
  await until('one map of both, which the workers know', async () => {
    const states = await Promise.all(edges.map(async edge => (await fetch(`${edge.admin}/cluster`)).json()));
    const [first, second] = states as { epoch: number; nodes: { owns: number }[] }[];
    if (first!.epoch === 0 || first!.epoch !== second!.epoch || first!.nodes.some(({ owns }) => owns === 0)) return;
    const answers = await Promise.all(edges.map(edge => ask(edge, FILM, {}, 'HEAD')));
    return answers.filter(({ fields }) => /detail=peer/.test(fields['cache-status']!)).length === 1;
  });
});
after(async () => {
  await Promise.all(edges.map(edge => edge.end()));
  await etcd.end();
  rmSync(folder, { recursive: true });
});

async function ask(edge: Edge, path: string, headers: Record<string, string>, method = 'GET') {
  const answer = await fetch(edge.url + path, { method, headers });
  const fields = Object.fromEntries(answer.headers);
  return { status: answer.status, fields, body: Buffer.from(await answer.arrayBuffer()) };
}

/** Asks both edges, and expects the same of them, once by way of the other. */
async function same(path: string, headers: Record<string, string> = {}) {
  const answers = await Promise.all(edges.map(edge => ask(edge, path, headers)));
  const isHop = answers.map(({ fields }) => /detail=peer/.test(fields['cache-status']!));
  // What is refused says so in either case.
  if (answers[0]!.status < 400) assert.deepEqual([...isHop].sort(), [false, true], `${path}: ${isHop}`);
  const [own, relayed] = isHop[0] ? [answers[1]!, answers[0]!] : [answers[0]!, answers[1]!];
  const unlike = ['date', 'age', 'cache-status', 'keep-alive', 'x-request-id'];
  const strip = (fields: Record<string, string>) =>
    Object.fromEntries(Object.entries(fields).filter(([name]) => !unlike.includes(name)));
  assert.equal(relayed.status, own.status, path);
  assert.deepEqual(strip(relayed.fields), strip(own.fields), path);
  assert.deepEqual(relayed.body, own.body, path);
  return own;
}

/** The URLs of a playlist, against its own. */
function urlsOf(playlist: Buffer, base: string): string[] {
  const text = playlist.toString();
  const listed = text.split('\n').filter(line => line !== '' && !line.startsWith('#'));
  const named = [...text.matchAll(/URI="([^"]+)"/g)].map(match => match[1]!);
  return [...named, ...listed].map(url => {
    const { pathname, search } = new URL(url, `http://edge${base}`);
    return pathname + search;
  });
}

describe('everything of a film goes with it, by way of any edge', () => {
  for (const path of [FILM, OTHER, '/bframes-moov-last.mp4', '/fragmented.mp4', '/keyframes.flv']) {
    it(`bytes, ranges and seeks: ${path}`, async () => {
      assert.equal((await same(path)).status, 200);
      for (const range of ['bytes=0-99', 'bytes=1000-', 'bytes=-77', 'bytes=50000-60000']) {
        assert.equal((await same(path, { Range: range })).status, 206);
      }
      assert.equal((await same(path, { Range: 'bytes=99999999-' })).status, 416);
      assert.equal((await same(`${path}?start=1.5`)).status, 200);
      const { etag } = (await same(path)).fields;
      assert.equal((await same(path, { 'If-None-Match': etag! })).status, 304);
      assert.equal((await same(path, { 'If-Match': '"another"' })).status, 412);
      for (const edge of edges) {
        const { status, fields } = await ask(edge, path, {}, 'HEAD');
        assert.equal(status, 200);
        assert.ok(Number(fields['content-length']) > 1000);
      }
    });
  }

  it('a cut, and a frame', async () => {
    assert.equal((await same(`${FILM}?start=1&end=3`)).status, 200);
    assert.equal((await same(`${FILM}?frame=2`)).status, 200);
    assert.equal((await same(`${FILM}?start=99999`)).status, 416);
  });

  for (const [name, base] of [
    ['a film', FILM],
    ['a fragmented film', '/fragmented.mp4'],
    ['a set whose renditions belong to different nodes', SET],
    ['a set with subtitles', '/bframes-faststart,.mp4,.en.srt,.urlset'],
  ] as const) {
    it(`playlists and segments: ${name}`, async () => {
      const top = `${base}/hls.m3u8`;
      const playlists = urlsOf((await same(top)).body, top);
      assert.ok(playlists.length > 0);
      for (const playlist of new Set(playlists)) {
        const { body, fields } = await same(playlist);
        if (!fields['content-type']!.includes('mpegurl')) continue;
        const segments = [...new Set(urlsOf(body, playlist))];
        assert.ok(segments.length > 0, playlist);
        // The first, which begins the track, one that follows, and the last.
        for (const at of new Set([0, 1, segments.length - 1])) if (segments[at] !== undefined) await same(segments[at]);
      }
      assert.equal((await same(`${base}/dash.mpd`)).status, 200);
    });
  }

  it('the renditions of that set are films of different nodes', () => {
    // Names are chosen so; where the map or the hash changes, choose others.
    assert.notEqual(partitionOf(FILM, 64), partitionOf(OTHER, 64));
  });

  it('what is not there is not there', async () => {
    assert.equal((await same('/nothing.mp4')).status, 404);
    assert.equal((await same('/nothing.mp4/hls.m3u8')).status, 404);
  });
});
