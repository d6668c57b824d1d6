import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { readdir, readFile, stat, truncate } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { promisify } from 'node:util';
import { deflateSync } from 'node:zlib';
import { defaultConfig } from '../../../src/config/schema.js';
import type { PublishedFilm } from '../../../src/pipeline/jobs/job.js';
import { DirectoryStorage } from '../../../src/pipeline/storage/directory-storage.js';
import { manifestKey, winnerKey } from '../../../src/pipeline/storage/layout.js';
import { FilmMaker } from '../../../src/pipeline/transcode/film-maker.js';
import { RefusedSource } from '../../../src/pipeline/transcode/refused-source.js';
import { MediaFolder, probe } from '../../support/ffmpeg.js';
import { storeUpload } from '../../support/stored-upload.js';

const run = promisify(execFile);
const folder = mkdtempSync(join(tmpdir(), 'moovedge-pipeline-'));
const storage = new DirectoryStorage(join(folder, 'storage'));
const settings = {
  ...defaultConfig().transcode,
  qualities: [180, 120],
  preset: 'ultrafast' as const,
  scratch: join(folder, 'scratch'),
};
let media: MediaFolder;
let count = 0;

before(async () => {
  media = await MediaFolder.make();
});
after(async () => {
  await media.remove();
  rmSync(folder, { recursive: true, force: true });
});

/** Puts a file into the storage, as an upload that is whole. */
async function uploaded(file: string): Promise<string> {
  const id = (count++).toString(16).padStart(32, '0');
  await storeUpload(storage, id, await readFile(file));
  return id;
}

function make(id: string, options: { mayPublish?: () => Promise<void>; signal?: AbortSignal } = {}) {
  return new FilmMaker(storage, settings, settings.scratch).make(id, {
    signal: new AbortController().signal,
    progress() {},
    mayPublish: async () => {},
    ...options,
  });
}

const made = async (file: string) => await make(await uploaded(file));

function outputOf({ id, attempt }: PublishedFilm, quality: number): string {
  return join(folder, 'storage/films', id, attempt, `film_${quality}.mp4`);
}

async function shapeOf(file: string): Promise<string> {
  const entries = 'stream=width,height,sample_aspect_ratio,color_transfer,pix_fmt,r_frame_rate';
  const { stdout } = await run('ffprobe', [
    '-v',
    'error',
    '-select_streams',
    'v:0',
    '-show_entries',
    entries,
    '-of',
    'csv=p=0',
    file,
  ]);
  return stdout.trim();
}

const PICTURE = (size: string, seconds: number, rate = 25) => [
  '-f',
  'lavfi',
  '-i',
  `testsrc2=size=${size}:rate=${rate}:duration=${seconds}`,
];
const SOUND = (seconds: number) => ['-f', 'lavfi', '-i', `sine=duration=${seconds}`];
const FAST = ['-c:v', 'libx264', '-preset', 'ultrafast', '-c:a', 'aac'];

describe('a film that is made of an upload', () => {
  it('has qualities with key frames at the same times, moov in front, previews, and a true duration', async () => {
    const film = await made(await media.ffmpeg('usual.mp4', ...PICTURE('320x180', 5), ...SOUND(5), ...FAST));
    assert.deepEqual(film.qualities, [180, 120]);
    assert.ok(Math.abs(film.duration - 5) < 0.1);
    assert.deepEqual(film.remarks, []);
    const keys = await Promise.all(
      film.qualities.map(async quality => {
        const { packets, streams } = await probe(outputOf(film, quality));
        assert.deepEqual(
          streams.map(({ codec }) => codec),
          ['h264', 'aac'],
        );
        return packets.filter(({ track, key }) => track === 'video0' && key).map(({ pts }) => pts);
      }),
    );
    assert.deepEqual(keys[0], keys[1]);
    assert.deepEqual(
      keys[0]!.map(time => Math.round(time - keys[0]![0]!)),
      [0, 2, 4],
    );
    const files = await readdir(join(folder, 'storage/films', film.id, film.attempt));
    assert.deepEqual(files.sort(), ['film_120.mp4', 'film_180.mp4', 'poster.jpg', 'timeline.vtt', 'timeline_1.jpg']);
    assert.ok((await readFile(outputOf(film, 180))).subarray(0, 64).includes('moov'), 'moov is not in front');
    assert.deepEqual(await readdir(settings.scratch), []);
    assert.equal(await storage.head(manifestKey(film.id)), undefined, 'the upload is still there');
  });

  for (const [name, args, expected] of [
    ['odd sides', [...PICTURE('333x211', 1), '-c:v', 'ffv1', '-pix_fmt', 'yuv444p'], /^284,180,1:1,yuv420p/],
    ['sides that are smaller than all qualities', [...PICTURE('64x48', 1), ...FAST], /^64,48,1:1/],
    ['pixels that are not square', [...PICTURE('320x360', 1), '-vf', 'setsar=2', ...FAST], /^320,180,1:1/],
    ['sixty pictures a second', [...PICTURE('320x180', 1, 60), ...FAST], /30\/1$/],
    [
      'interlaced pictures',
      [...PICTURE('320x180', 1), '-flags', '+ilme+ildct', '-top', '1', '-c:v', 'mpeg2video'],
      /^320,180/,
    ],
    [
      'HDR',
      [
        ...PICTURE('320x180', 1),
        '-c:v',
        'libx265',
        '-preset',
        'ultrafast',
        '-pix_fmt',
        'yuv420p10le',
        '-color_trc',
        'smpte2084',
        '-color_primaries',
        'bt2020',
        '-colorspace',
        'bt2020nc',
        '-x265-params',
        'log-level=none',
      ],
      /,bt709,/,
    ],
  ] as const) {
    it(`of ${name}`, async () => {
      const extension = name === 'interlaced pictures' ? 'ts' : name === 'odd sides' ? 'mkv' : 'mp4';
      const film = await made(await media.ffmpeg(`${name.replaceAll(' ', '-')}.${extension}`, ...args));
      const shapes = await Promise.all(film.qualities.map(quality => shapeOf(outputOf(film, quality))));
      assert.ok(
        shapes.some(shape => expected.test(shape)),
        shapes.join('\n'),
      );
    });
  }

  it('of turned pictures', async () => {
    const flat = await media.ffmpeg('flat.mp4', ...PICTURE('320x180', 1), ...FAST);
    const film = await made(await media.ffmpeg('turned.mp4', '-i', flat, '-c', 'copy', '-metadata:s:v', 'rotate=90'));
    assert.match(await shapeOf(outputOf(film, 180)), /^180,320/);
  });

  it('of sound in six channels, and of sound with a cover', async () => {
    const six = await media.ffmpeg('six.mkv', ...PICTURE('320x180', 1), ...SOUND(1), '-ac', '6', ...FAST);
    const film = await made(six);
    const { stdout } = await run('ffprobe', [
      '-v',
      'error',
      '-select_streams',
      'a',
      '-show_entries',
      'stream=channels',
      '-of',
      'csv=p=0',
      outputOf(film, 120),
    ]);
    assert.equal(stdout.trim(), '2');
    const cover = await media.ffmpeg('cover.jpg', ...PICTURE('320x180', 1), '-frames:v', '1');
    const song = await media.ffmpeg(
      'song.mp4',
      ...SOUND(1),
      '-i',
      cover,
      '-map',
      '0',
      '-map',
      '1',
      '-c:v',
      'mjpeg',
      '-disposition:v',
      'attached_pic',
    );
    await assert.rejects(
      made(song),
      (error: Error) => error instanceof RefusedSource && /without moving pictures/.test(error.message),
    );
  });
});

function box(type: string, ...content: readonly Buffer[]): Buffer {
  const body = Buffer.concat(content);
  const head = Buffer.alloc(8);
  head.writeUInt32BE(body.length + 8);
  head.write(type, 4, 'latin1');
  return Buffer.concat([head, body]);
}

/** A file of QuickTime whose moov is compressed. @param size that it says to have when it is not */
function compressedMoov(size: number): Buffer {
  const claimed = Buffer.alloc(4);
  claimed.writeUInt32BE(size);
  const bytes = deflateSync(Buffer.alloc(Math.min(size, 64 * 1024 * 1024)));
  const moov = box('moov', box('cmov', box('dcom', Buffer.from('zlib')), box('cmvd', claimed, bytes)));
  return Buffer.concat([box('ftyp', Buffer.from('qt  \0\0\0\0qt  ')), moov]);
}

function nestedBoxes(depth: number): Buffer {
  const bytes = Buffer.alloc(8 * depth);
  for (let i = 0; i < depth; i++) {
    bytes.writeUInt32BE(8 * (depth - i), 8 * i);
    bytes.write(i === 0 ? 'moov' : 'trak', 8 * i + 4, 'latin1');
  }
  return Buffer.concat([box('ftyp', Buffer.from('isom\0\0\0\0isom')), bytes]);
}

describe('a file that is not what it says', () => {
  it('is told to be cut off, and what is there is a film', async () => {
    const whole = await media.ffmpeg(
      'cut.mp4',
      ...PICTURE('320x180', 6),
      ...FAST,
      '-movflags',
      '+faststart',
      '-g',
      '25',
    );
    await truncate(whole, Math.round((await stat(whole)).size / 2));
    const film = await made(whole);
    assert.ok(film.duration > 1 && film.duration < 5, `${film.duration} s`);
    assert.match(film.remarks.join(), /cut off/);
  });

  it('is told to lie about its duration', async () => {
    const file = await media.ffmpeg('lie.mkv', ...PICTURE('320x180', 2), '-c:v', 'libx264', '-preset', 'ultrafast');
    const bytes = await readFile(file);
    // Matroska's Duration: 0x4489, size 8, a double in milliseconds.
    const at = bytes.indexOf(Buffer.from('448988', 'hex'));
    bytes.writeDoubleBE(3_600_000, at + 3);
    const film = await made(await media.write(bytes, 'mkv'));
    assert.ok(Math.abs(film.duration - 2) < 0.1);
    assert.match(film.remarks.join(), /the file says 3600\.0 s, its pictures fill 2\.0 s/);
  });

  for (const [name, bytes] of [
    ['empty but for a byte', Buffer.from([0])],
    ['a text', Buffer.from('This is no film.\n'.repeat(100))],
    ['a playlist that names a file of the machine', Buffer.from('#EXTM3U\n#EXTINF:1,\n/etc/passwd\n')],
    ['a list of ffmpeg that names a file of the machine', Buffer.from("ffconcat version 1.0\nfile '/etc/passwd'\n")],
    ['a moov that says it is compressed from two gigabytes', compressedMoov(2 ** 31 - 1)],
    ['a moov that was compressed from 64 megabytes of nothing', compressedMoov(64 * 1024 * 1024)],
    ['boxes within boxes without end', nestedBoxes(20_000)],
    ['a picture', Buffer.from('89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c489', 'hex')],
  ] as const) {
    it(`is refused for good: ${name}`, async () => {
      await assert.rejects(made(await media.write(bytes, 'mp4')), RefusedSource);
      assert.deepEqual(await readdir(settings.scratch), []);
    });
  }
});

describe('a file with 100 tracks', () => {
  it('is refused at once, and told why', async () => {
    const one = await media.ffmpeg('one.mkv', ...PICTURE('64x48', 1), ...FAST);
    const many = Array.from({ length: 100 }, () => ['-map', '0:v']).flat();
    const file = await media.ffmpeg('many.mkv', '-i', one, ...many, '-c', 'copy');
    await assert.rejects(
      made(file),
      (error: Error) => error instanceof RefusedSource && /at most 32 tracks, found 100/.test(error.message),
    );
    assert.deepEqual(await readdir(settings.scratch), []);
  });
});

describe('a film that several make', () => {
  it('is published once, and nothing of the others is left', async () => {
    const id = await uploaded(await media.ffmpeg('twice.mp4', ...PICTURE('320x180', 1), ...FAST));
    const films = await Promise.all([make(id), make(id)]);
    assert.equal(films[0]!.attempt, films[1]!.attempt);
    assert.deepEqual(
      (await readdir(join(folder, 'storage/films', id))).sort(),
      [films[0]!.attempt, 'winner.json'].sort(),
    );
    assert.equal((await make(id)).attempt, films[0]!.attempt);
  });

  it('is not published by whoever has lost it, and leaves nothing', async () => {
    const id = await uploaded(await media.ffmpeg('lost.mp4', ...PICTURE('320x180', 1), ...FAST));
    const mayPublish = async () => {
      throw new Error('somebody else’s');
    };
    await assert.rejects(make(id, { mayPublish }), /somebody else/);
    const gone = new AbortController();
    gone.abort(new Error('stopped'));
    await assert.rejects(make(id, { signal: gone.signal }), /stopped/);
    assert.equal(await storage.head(winnerKey(id)), undefined);
    assert.deepEqual(await readdir(join(folder, 'storage/films', id)).catch(() => []), []);
  });
});
