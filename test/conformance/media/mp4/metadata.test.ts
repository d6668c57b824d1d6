/**
 * Metadata that tell of the whole film are not told by a cut, and all others are; as ffprobe and a walk over the boxes
 * find them.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { after, before, describe, it } from 'node:test';
import { promisify } from 'node:util';
import { ProgressiveMp4 } from '../../../../src/media/mp4/progressive.js';
import { aac, clip, h264, picture, tone } from '../../../support/clips.js';
import { complaints, MediaFolder } from '../../../support/ffmpeg.js';
import { box } from '../../../support/mp4/build.js';
import { replaced } from '../../../support/mp4/replaced.js';
import { MemorySource, mediaObject, render } from '../../../support/virtual.js';

const u32 = (...values: number[]) => {
  const bytes = Buffer.alloc(values.length * 4);
  for (const [i, value] of values.entries()) bytes.writeUInt32BE(value, i * 4);
  return bytes;
};
const text = (value: string) => Buffer.from(value, 'latin1');
const plain = (type: string, ...parts: Uint8Array[]) => box(type, false, ...parts);
const data = (value: string, type = 1) => plain('data', u32(type, 0), text(value));
const free = (name: string, value: string) =>
  plain('----', plain('mean', u32(0), text('com.apple.iTunes')), plain('name', u32(0), text(name)), data(value));
const handler = (type: string) => plain('hdlr', u32(0, 0), text(type), text('appl'), Buffer.alloc(9));
const user = (type: string, value: string) => plain(type, Buffer.from([0, value.length, 0x55, 0xc4]), text(value));
const frame = (id: string, value: string) =>
  Buffer.concat([text(id), u32(value.length + 1), Buffer.from([0, 0, 0]), text(value)]);
const id3 = (...frames: Buffer[]) => {
  const size = frames.reduce((sum, { length }) => sum + length, 0);
  return plain(
    'ID32',
    u32(0),
    Buffer.from([0x55, 0xc4]),
    text('ID3'),
    Buffer.from([3, 0, 0, 0, 0, size >> 7, size & 127]),
    ...frames,
  );
};

const PRIMING = ' 00000000 00000840 000001CA 00000000003F31F6 00000000 00000000 00000000';
/** iTunes' metadata; with long lyrics they are too large to be kept in the index. */
const itunes = (lyrics: number) =>
  plain(
    'meta',
    u32(0),
    handler('mdir'),
    plain(
      'ilst',
      plain('\u00a9nam', data('Film')),
      free('iTunSMPB', PRIMING),
      free('Mood', 'calm'),
      free('CUESHEET', 'x'),
      plain('\u00a9lyr', data('la'.repeat(lyrics))),
      plain('\u00a9alb', data('Album')),
    ),
  );
const quickTime = plain(
  'meta',
  handler('mdta'),
  plain(
    'keys',
    u32(0, 3),
    ...['DURATION', 'com.apple.quicktime.make', 'NUMBER_OF_FRAMES-eng'].map(key =>
      Buffer.concat([u32(8 + key.length), text(`mdta${key}`)]),
    ),
  ),
  plain(
    'ilst',
    ...['00:00:06.00', 'Maker', '150'].map((value, i) => plain(u32(i + 1).toString('latin1'), data(value))),
  ),
);

/** Contents of `udta`, and types of boxes (with the names of free ones) that a cut must and must not have. */
const cases: Readonly<Record<string, { udta: Buffer[]; kept: string[]; gone: string[] }>> = {
  'of iTunes': {
    udta: [itunes(10)],
    kept: ['\u00a9nam', '----Mood', '\u00a9alb', '\u00a9lyr'],
    gone: ['----iTunSMPB', '----CUESHEET'],
  },
  'of iTunes, with long lyrics': {
    udta: [itunes(9000)],
    kept: ['\u00a9nam', '----Mood', '\u00a9alb', '\u00a9lyr'],
    gone: ['----iTunSMPB', '----CUESHEET'],
  },
  'of QuickTime': { udta: [quickTime], kept: ['\0\0\0\u0002'], gone: ['\0\0\0\u0001', '\0\0\0\u0003'] },
  'as user data': {
    udta: [
      user('\u00a9nam', 'Film'),
      user('\u00a9TIM', '01:00:00:00'),
      user('\u00a9TSC', '25'),
      user('\u00a9len', '6000'),
      plain('HMMT', u32(1, 4000)),
      plain('hnti', plain('rtp ', text('sdp a=range:npt=0-6'))),
    ],
    kept: ['\u00a9nam'],
    gone: ['\u00a9TIM', '\u00a9TSC', '\u00a9len', 'HMMT', 'hnti'],
  },
  'of ID3': {
    udta: [
      plain(
        'meta',
        u32(0),
        handler('ID32'),
        id3(frame('TIT2', 'Film'), frame('TLEN', '6000'), frame('COMM', 'engiTunSMPB'), frame('TALB', 'Album')),
      ),
    ],
    kept: ['TIT2', 'TALB'],
    gone: ['TLEN', 'COMM'],
  },
  'of Adobe and Microsoft': {
    udta: [plain('XMP_', text('<xmpDM:duration value="6"/>')), plain('Xtra', text('WM/Mood'))],
    kept: ['Xtra'],
    gone: ['XMP_'],
  },
  'that are broken': { udta: [user('\u00a9nam', 'Film'), u32(4000), text('meta')], kept: ['udta'], gone: [] },
};

/** Types of all boxes in the movie box that may hold metadata; frames of ID3 too. */
function found(bytes: Buffer): string[] {
  const types: string[] = [];
  const walk = (from: number, to: number) => {
    for (let at = from; to - at >= 8; ) {
      const size = bytes.readUInt32BE(at);
      const type = bytes.toString('latin1', at + 4, at + 8);
      if (size < 8 || at + size > to) return;
      const name = type === '----' ? bytes.subarray(at, at + size).indexOf('name') + at : undefined;
      types.push(
        name === undefined ? type : type + bytes.toString('latin1', name + 8, name + bytes.readUInt32BE(name - 4) - 4),
      );
      if (type === 'meta') walk(at + (bytes.readUInt32BE(at + 8) === 0 ? 12 : 8), at + size);
      if (['moov', 'udta', 'ilst'].includes(type)) walk(at + 8, at + size);
      if (type === 'ID32') {
        for (let id = at + 24; id < at + size; id += 10 + bytes.readUInt32BE(id + 4))
          types.push(bytes.toString('latin1', id, id + 4));
      }
      at += size;
    }
  };
  walk(0, bytes.length);
  return types;
}

const format = new ProgressiveMp4({ seek: 'keyframe', maxMoov: 1 << 24 });
let folder: MediaFolder;
before(async () => {
  folder = await MediaFolder.make();
});
after(() => folder.remove());

async function tags(path: string): Promise<Record<string, string>> {
  const { stdout } = await promisify(execFile)('ffprobe', [
    '-v',
    'error',
    '-show_entries',
    'format_tags',
    '-of',
    'json',
    path,
  ]);
  return (JSON.parse(stdout) as { format: { tags: Record<string, string> } }).format.tags;
}

describe('metadata in a cut', { concurrency: 2 }, () => {
  for (const [name, { udta, kept, gone }] of Object.entries(cases)) {
    it(name, async () => {
      const film = await readFile(
        await clip('metadata.mp4', [...picture(6), ...tone(6), ...h264(), ...aac, '-movflags', '+faststart']),
      );
      const bytes = replaced(film, 'udta', Buffer.concat(udta));
      const source = new MemorySource(bytes);
      const index = (await format.compile(source))!;
      assert.deepEqual(format.decode(format.encode(index), bytes.length), index);
      const file = (await format.plan(index, mediaObject(source), { start: 2, end: undefined }))!;
      const cut = Buffer.from(render(file, source.bytes));
      const [before, after] = [found(bytes), found(cut)];
      for (const type of [...kept, ...gone])
        assert.ok(before.includes(type), `${type} is not in the source: ${before}`);
      for (const type of kept) assert.ok(after.includes(type), `${type} is missing: ${after}`);
      for (const type of gone) assert.ok(!after.includes(type), `${type} is there`);
      const path = await folder.write(cut, 'mp4');
      assert.equal(await complaints(path), '');
      if (name.startsWith('of iTunes')) {
        const [whole, told] = [await tags(await folder.write(bytes, 'mp4')), await tags(path)];
        assert.equal(whole.iTunSMPB, PRIMING);
        const { iTunSMPB, CUESHEET, ...others } = whole;
        assert.deepEqual(told, others);
      }
      const whole = format.whole(index, mediaObject(source));
      assert.equal(whole, undefined);
    });
  }
});
