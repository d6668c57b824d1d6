import assert from 'node:assert/strict';

/** A sample of a movie fragment. */
export interface FragmentSample {
  /** Decoding time, ticks. */
  readonly time: number;
  readonly duration: number;
  readonly composition: number;
  readonly isSync: boolean;
  readonly data: string;
}

/** A `moof` and its `mdat`, of one track. */
export interface ReadFragment {
  readonly sequence: number;
  readonly samples: readonly FragmentSample[];
}

const NOT_SYNC = 0x10000;

/**
 * Reads fragments of one track (ISO/IEC 14496-12 section 8.8), which must be right to the last byte; shares no code
 * with src/.
 */
export function readFragments(bytes: Buffer): ReadFragment[] {
  const found: ReadFragment[] = [];
  for (let at = 0; at < bytes.length; ) {
    const moof = at;
    assert.equal(bytes.toString('latin1', at + 4, at + 8), 'moof');
    const end = at + bytes.readUInt32BE(at);
    assert.equal(bytes.toString('latin1', end + 4, end + 8), 'mdat');
    at = end + bytes.readUInt32BE(end);
    assert.ok(at <= bytes.length, 'the mdat is whole');
    found.push(readMoof(bytes, moof, end, at));
  }
  return found;
}

function readMoof(bytes: Buffer, moof: number, end: number, mdatEnd: number): ReadFragment {
  let [sequence, time, data] = [0, 0, 0];
  const defaults = { duration: 0, size: 0, flags: 0 };
  const samples: FragmentSample[] = [];
  const visit = (from: number, to: number) => {
    for (let at = from; at < to; at += bytes.readUInt32BE(at)) {
      const type = bytes.toString('latin1', at + 4, at + 8);
      const flags = bytes.readUIntBE(at + 9, 3);
      let field = at + 12;
      const next = () => {
        field += 4;
        return bytes.readUInt32BE(field - 4);
      };
      if (type === 'traf') visit(at + 8, at + bytes.readUInt32BE(at));
      else if (type === 'mfhd') sequence = next();
      else if (type === 'tfhd') {
        assert.equal(next(), 1);
        assert.ok((flags & 0x20000) !== 0 && (flags & 3) === 0, 'offsets count from the moof');
        if (flags & 8) defaults.duration = next();
        if (flags & 0x10) defaults.size = next();
        if (flags & 0x20) defaults.flags = next();
      } else if (type === 'tfdt') time = bytes[at + 8] === 1 ? next() * 2 ** 32 + next() : next();
      else if (type === 'trun') {
        const count = next();
        assert.ok(flags & 1, 'a trun says where its data are');
        data = moof + next();
        const first = flags & 4 ? next() : undefined;
        for (let i = 0; i < count; i++) {
          const duration = flags & 0x100 ? next() : defaults.duration;
          const size = flags & 0x200 ? next() : defaults.size;
          const own = flags & 0x400 ? next() : i === 0 && first !== undefined ? first : defaults.flags;
          const composition = flags & 0x800 ? next() | 0 : 0;
          const isSync = (own & NOT_SYNC) === 0;
          samples.push({ time, duration, composition, isSync, data: bytes.toString('base64', data, data + size) });
          data += size;
          time += duration;
        }
      }
    }
  };
  visit(moof + 8, end);
  assert.equal(data, mdatEnd, 'samples are all that the mdat has');
  return { sequence, samples };
}
