import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Edge } from '../../support/edge.js';
import { probe } from '../../support/ffmpeg.js';

const SAMPLES = fileURLToPath(new URL('../../../src/samples/', import.meta.url));

const edges: Edge[] = [];
async function edgeWith(settings: string): Promise<Edge> {
  const edge = await Edge.start({ origin: SAMPLES, settings: `media: {packaging: {${settings}}}` });
  edges.push(edge);
  return edge;
}
after(() => Promise.all(edges.map(edge => edge.end())));

/** Hashes of a file's packets by track, in order. */
async function packetsOf(target: string): Promise<Record<string, string[]>> {
  const { packets } = await probe(target);
  const found: Record<string, string[]> = {};
  for (const { track, hash } of packets) found[track] = [...(found[track] ?? []), hash];
  return found;
}

describe('whatever the settings are, ffmpeg gets the packets of the film', () => {
  const films = ['bframes-moov-last.mp4', 'fragmented.mp4'];
  for (const [settings, manifests] of [
    ['segment: 2s', ['hls.m3u8', 'dash.mpd']],
    ['hls: byteranges, dash: on-demand', ['hls.m3u8', 'dash.mpd']],
  ] as const) {
    it(settings, async () => {
      const edge = await edgeWith(settings);
      for (const film of films) {
        const expected = await packetsOf(join(SAMPLES, film));
        for (const manifest of manifests) {
          const found = await packetsOf(`${edge.url}/${film}/${manifest}`);
          assert.deepEqual(Object.keys(found).sort(), Object.keys(expected).sort(), `${film} ${manifest}`);
          for (const [track, hashes] of Object.entries(expected)) {
            const which = `${track} of ${film} by ${manifest}`;
            // Its DASH demuxer gives no packet at the very end, of its own muxer's segments neither.
            const end = manifest === 'dash.mpd' ? found[track]!.length : hashes.length;
            assert.ok(end >= hashes.length - 1, `${which} is whole`);
            const wrong = hashes.slice(0, end).findIndex((hash, i) => found[track]![i] !== hash);
            assert.equal(wrong, -1, `${which}: packet ${wrong}`);
          }
        }
      }
    });
  }
});

it('without packaging, what is below a film is the origin’s', async () => {
  const edge = await edgeWith('enabled: false');
  for (const path of ['hls.m3u8', 'dash.mpd', '0123456789abcdef/v1.m3u8']) {
    const { status, body } = await edge.get(`/long-gop.mp4/${path}`);
    assert.deepEqual([status, body.toString()], [404, 'there is no such file\n']);
  }
});

it('settings that decide bytes make other versions', async () => {
  const versions = await Promise.all(
    ['segment: 3s', 'segment: 3s, names: language', 'lastSegment: 20%'].map(async settings => {
      const { body } = await (await edgeWith(settings)).get('/long-gop.mp4/hls.m3u8');
      return /^[0-9a-f]{16}/m.exec(body.toString())![0];
    }),
  );
  assert.equal(new Set(versions).size, versions.length);
});
