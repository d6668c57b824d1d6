/** Fragmented MP4 files with fragments in any arrangement, and what must be found in a cut of them. */
import { box, type TestFragment, type TestRun, type TestSample, TIMESCALES, u32 } from './fmp4.js';

/** How the fragments of a film are arranged. */
export interface Arrangement {
  /** Where data stand: behind their `moof`, before it, or all together before or behind all fragments. */
  readonly data: 'behind' | 'before' | 'all before' | 'all behind';
  /** What offsets count from. */
  readonly base: 'absolute' | 'moof' | 'none';
  /** How a fragment says its time: not at all, in `tfdt`, in Smooth Streaming's `tfxd`, or in `mfra` alone. */
  readonly times: 'none' | 'tfdt' | 'tfxd' | 'mfra';
}

const TFXD = Buffer.from('6d1d9b0542d544e680e2141daff757b2', 'hex');

function u64(number: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64BE(BigInt(number));
  return bytes;
}

function full(type: string, version: number, flags: number, ...parts: Uint8Array[]): Buffer {
  return box(type, u32(version * 0x1000000 + flags), ...parts);
}

function dataOf(run: TestRun): Buffer {
  return Buffer.concat(run.samples.map(({ data }) => data));
}

function moofOf(fragment: TestFragment, at: number, places: readonly number[], { base, times }: Arrangement): Buffer {
  const trafs = fragment.map((run, i) => {
    const flags = { absolute: 1, moof: 0x20000, none: 0 }[base];
    const tfhd = full('tfhd', 0, flags, u32(run.track), base === 'absolute' ? u64(at) : Buffer.alloc(0));
    const tfdt = times === 'tfdt' ? [full('tfdt', 1, 0, u64(run.time))] : [];
    const duration = run.samples.reduce((sum, sample) => sum + sample.duration, 0);
    const tfxd = times === 'tfxd' ? [box('uuid', TFXD, u32(0x1000000), u64(run.time), u64(duration))] : [];
    const before = fragment[i - 1];
    // With neither base, the first run counts from the moof and the others from the end of the data before them.
    const origin = base === 'none' && before ? places[i - 1]! + dataOf(before).length : at;
    const entries = run.samples.flatMap(sample => [
      sample.duration,
      sample.data.length,
      sample.sync ? 0 : 0x10000,
      sample.compositionOffset,
    ]);
    const trun = full('trun', 1, 0xf01, u32(run.samples.length, places[i]! - origin), u32(...entries));
    return box('traf', tfhd, ...tfdt, trun, ...tfxd);
  });
  return box('moof', full('mfhd', 0, 0, u32(1)), ...trafs);
}

/** A file of these fragments behind `head`. */
export function arrange(head: Buffer, fragments: readonly TestFragment[], arrangement: Arrangement): Buffer {
  const bodies = fragments.map(fragment => fragment.map(dataOf));
  const sizes = fragments.map(
    fragment =>
      moofOf(
        fragment,
        0,
        fragment.map(() => 0),
        arrangement,
      ).length,
  );
  const media = bodies.map(parts => box('mdat', ...parts));
  const order: { fragment: number; kind: 'moof' | 'mdat' }[] = fragments.flatMap((_, fragment) => {
    const pair = [
      { fragment, kind: 'moof' as const },
      { fragment, kind: 'mdat' as const },
    ];
    return arrangement.data === 'before' ? pair.reverse() : pair;
  });
  if (arrangement.data === 'all before') order.sort((a, b) => Number(b.kind === 'mdat') - Number(a.kind === 'mdat'));
  if (arrangement.data === 'all behind') order.sort((a, b) => Number(a.kind === 'mdat') - Number(b.kind === 'mdat'));
  const moofs: number[] = [];
  const mdats: number[] = [];
  let at = head.length;
  for (const { fragment, kind } of order) {
    (kind === 'moof' ? moofs : mdats)[fragment] = at;
    at += kind === 'moof' ? sizes[fragment]! : media[fragment]!.length;
  }
  const parts = order.map(({ fragment, kind }) => {
    if (kind === 'mdat') return media[fragment]!;
    let place = mdats[fragment]! + 8;
    const places = bodies[fragment]!.map(body => {
      place += body.length;
      return place - body.length;
    });
    return moofOf(fragments[fragment]!, moofs[fragment]!, places, arrangement);
  });
  return Buffer.concat([head, ...parts, ...(arrangement.times === 'mfra' ? [mfraOf(fragments, moofs)] : [])]);
}

function mfraOf(fragments: readonly TestFragment[], moofs: readonly number[]): Buffer {
  const tracks = [...new Set(fragments.flat().map(({ track }) => track))];
  const tfras = tracks.map(track => {
    const entries = fragments.flatMap((fragment, i) =>
      fragment
        .filter(run => run.track === track)
        .map(run => [u64(run.time + run.samples[0]!.compositionOffset), u64(moofs[i]!), Buffer.from([1, 1, 1])]),
    );
    return full('tfra', 1, 0, u32(track, 0, entries.length), ...entries.flat());
  });
  const size = 8 + tfras.reduce((sum, tfra) => sum + tfra.length, 0) + 16;
  return box('mfra', ...tfras, full('mfro', 0, 0, u32(size)));
}

/** A sample with its time in seconds. */
export interface TimedSample {
  readonly track: number;
  /** Decoding and presentation time. */
  readonly time: number;
  readonly shown: number;
  readonly sync: boolean;
  readonly data: string;
}

/** The samples of a track, in order of decoding. */
export function samplesOf(fragments: readonly TestFragment[], track: number): TimedSample[] {
  const found: TimedSample[] = [];
  for (const run of fragments.flat().filter(candidate => candidate.track === track)) {
    let time = run.time;
    for (const { duration, compositionOffset, sync, data } of run.samples as TestSample[]) {
      const scale = TIMESCALES[track - 1]!;
      const shown = (time + compositionOffset) / scale;
      found.push({ track, time: time / scale, shown, sync, data: data.toString('base64') });
      time += duration;
    }
  }
  return found.sort((a, b) => a.time - b.time);
}
