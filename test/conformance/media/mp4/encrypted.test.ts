/**
 * ffmpeg decrypts the cuts of encrypted MP4 files (Common Encryption, ISO/IEC 23001-7): the packets are those of the
 * source.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { ProgressiveMp4 } from '../../../../src/media/mp4/progressive.js';
import { clip } from '../../../support/clips.js';
import { MediaFolder } from '../../../support/ffmpeg.js';
import { MemorySource, mediaObject, render } from '../../../support/virtual.js';

const film = fileURLToPath(new URL('../../../../src/samples/bframes-faststart.mp4', import.meta.url));
const KEY = '76a6c65c5ea762046bd749a2e632ccbb';
const format = new ProgressiveMp4({ seek: 'keyframe', maxMoov: 1 << 24 });

const encrypted = (name: string, movflags: string) =>
  clip(name, [
    ...['-i', film, '-c', 'copy', '-movflags', movflags, '-encryption_scheme', 'cenc-aes-ctr'],
    ...['-encryption_key', KEY, '-encryption_kid', 'a7e61c373e219033c21091fa607bf3b8'],
  ]);

let folder: MediaFolder;
before(async () => {
  folder = await MediaFolder.make();
});
after(() => folder.remove());

/** Hashes of the decrypted packets of a stream, such as `v:0`, in order. */
async function decrypted(path: string, stream: string): Promise<string[]> {
  const options = ['-nostdin', '-v', 'error', '-decryption_key', KEY, '-i', path, '-map', `0:${stream}`];
  const { stdout, stderr } = await promisify(execFile)('ffmpeg', [...options, '-c', 'copy', '-f', 'framehash', '-']);
  assert.equal(stderr, '');
  const lines = stdout.split('\n').filter(line => line !== '' && !line.startsWith('#'));
  return lines.map(line => line.split(',')[5]!.trim());
}

/** The film with a `saio` in each track that leads 24 bytes too low; players read `senc`. */
function lying(bytes: Buffer): Buffer {
  for (let at = bytes.indexOf('saio'); at >= 0; at = bytes.indexOf('saio', at + 4))
    bytes.writeUInt32BE(bytes.readUInt32BE(at + 12) - 24, at + 12);
  return bytes;
}

describe('cut of an encrypted MP4', { concurrency: 2 }, () => {
  for (const [name, movflags, change] of [
    ['moov first', '+faststart', (bytes: Buffer) => bytes],
    ['moov last', '0', (bytes: Buffer) => bytes],
    ['offsets of auxiliary information that lead elsewhere', '+faststart', lying],
    ['moov last, offsets that lead elsewhere', '0', lying],
  ] as const) {
    it(name, async () => {
      const path = await encrypted(`encrypted-${movflags === '0' ? 'last' : 'first'}.mp4`, movflags);
      const source = new MemorySource(change(await readFile(path)));
      const index = await format.compile(source);
      assert.ok(index !== undefined);
      const plan = (start: number, end?: number) => format.plan(index, mediaObject(source), { start, end });
      const whole = format.whole(index, mediaObject(source));
      assert.equal(whole !== undefined, movflags === '0');
      for (const answer of [await plan(11.3), await plan(4, 9.5), whole]) {
        if (answer === undefined) continue;
        const written = await folder.write(render(answer, source.bytes), 'mp4');
        for (const stream of ['v:0', 'a:0']) {
          const [got, all] = await Promise.all([decrypted(written, stream), decrypted(path, stream)]);
          const first = all.indexOf(got[0]!);
          assert.ok(first >= 0 && got.length > 50, `${stream}: ${got.length} packets from ${first}`);
          assert.deepEqual(got, all.slice(first, first + got.length));
          if (answer === whole) assert.equal(got.length, all.length);
        }
      }
    });
  }
});
