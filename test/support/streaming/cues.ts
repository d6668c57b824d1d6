import assert from 'node:assert/strict';
import { createFile, MP4BoxBuffer } from 'mp4box';

/** The samples of a track of cues as mp4box reads them: seconds, and the cues in them. */
export async function cuesIn(
  bytes: Buffer,
): Promise<{ start: number; end: number; cues: { id: string; text: string }[] }[]> {
  const file = createFile(true);
  file.appendBuffer(MP4BoxBuffer.fromArrayBuffer(new Uint8Array(bytes).buffer, 0), true);
  const [{ id, codec }] = file.getInfo().tracks as unknown as [{ id: number; codec: string }];
  assert.equal(codec, 'wvtt');
  return file.getTrackSamplesInfo(id).map(({ cts, duration, timescale, offset, size }) => {
    const sample = bytes.subarray(offset, offset + size);
    const cues = boxesIn(sample).map(([type, body]) => {
      if (type === 'vtte') return undefined;
      assert.equal(type, 'vttc');
      const parts = new Map(boxesIn(body));
      assert.equal(parts.get('vsid')!.length, 4);
      return { id: parts.get('iden')!.toString(), text: parts.get('payl')!.toString() };
    });
    const found = cues.filter(cue => cue !== undefined);
    assert.ok(found.length > 0 || cues.length === 1, 'nothing is shown by one empty box');
    return { start: cts / timescale, end: (cts + duration) / timescale, cues: found };
  });
}

function boxesIn(bytes: Buffer): [type: string, body: Buffer][] {
  const found: [string, Buffer][] = [];
  for (let at = 0; at < bytes.length; at += bytes.readUInt32BE(at))
    found.push([bytes.toString('latin1', at + 4, at + 8), bytes.subarray(at + 8, at + bytes.readUInt32BE(at))]);
  return found;
}
