import { BoxWriter } from '../mp4/box/box-writer.js';
import type { PackageTrack, TrackKind } from './media-package.js';
import { defaultFlags, TRACK_ID } from './media-segment.js';

/** Brands (ISO/IEC 14496-12 annex E, ISO/IEC 23000-19 section 7.2): fragments that count from their `moof`; CMAF. */
const BRANDS = ['iso6', 'cmfc', 'dash'];
/** Brands of a file whose samples are in its movie. */
const WHOLE_BRANDS = ['isom', 'iso2', 'mp41'];
const HANDLERS: Readonly<Record<TrackKind, string>> = { video: 'vide', audio: 'soun', text: 'text' };
const MATRIX = [0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x4000_0000];
const [ENABLED, IN_MOVIE] = [1, 2];
/** Most characters of a track's name that are kept. */
const NAME_MAX = 255;

/** What an init segment says of its track, beside the sample entry. */
export type InitTrack = Omit<
  PackageTrack,
  'index' | 'id' | 'enabled' | 'entry' | 'compositionShift' | 'segments' | 'openGops'
>;

/**
 * The init segment of a track: a movie without samples (ISO/IEC 14496-12 section 8.8).
 * @param entry the sample entry
 */
export function initSegment(track: InitTrack, entry: Uint8Array): Uint8Array {
  return initOfTracks([{ track, entry }]);
}

/** A track and its sample entry. */
export interface TrackEntry {
  readonly track: InitTrack;
  readonly entry: Uint8Array;
}

/** The beginning of a fragmented file of several tracks, which are numbered from 1 in their order. */
export function initOfTracks(tracks: readonly TrackEntry[]): Uint8Array {
  const writer = new InitWriter(tracks);
  writer.fileType();
  writer.movie();
  return writer.take();
}

/** The only sample of a movie: ticks and bytes. */
export interface OnlySample {
  readonly duration: number;
  readonly size: number;
}

/**
 * A movie of a track that has one sample, behind its file type; the sample's data are to stand right behind it.
 * @param headerSize bytes of the header of the data's box
 */
export function movieOfOne(track: InitTrack, entry: Uint8Array, sample: OnlySample, headerSize: number): Uint8Array {
  const writer = new InitWriter([{ track, entry }], sample);
  writer.fileType();
  writer.movie();
  writer.offsetAt(writer.chunkOffset, writer.length + headerSize, false);
  return writer.take();
}

class InitWriter extends BoxWriter {
  /** Where the only chunk's offset stands. */
  chunkOffset = 0;

  constructor(
    private readonly tracks: readonly TrackEntry[],
    private readonly sample?: OnlySample,
  ) {
    super(1024 + tracks.reduce((sum, { entry }) => sum + entry.length, 0));
  }

  fileType(): void {
    this.#box('ftyp', () => {
      const brands = this.sample === undefined ? BRANDS : WHOLE_BRANDS;
      this.fourcc(brands[0]!);
      this.u32(0);
      for (const brand of brands) this.fourcc(brand);
    });
  }

  movie(): void {
    const { timescale } = this.tracks[0]!.track;
    const duration = this.sample?.duration ?? 0;
    this.#box('moov', () => {
      this.#full('mvhd', 0, () => {
        this.zeros(8);
        this.u32(timescale);
        this.u32(duration);
        this.u32(0x10000);
        this.u16(0x100);
        this.zeros(10);
        for (const number of MATRIX) this.u32(number);
        this.zeros(24);
        this.u32(TRACK_ID + this.tracks.length);
      });
      this.tracks.forEach((each, at) => {
        this.#box('trak', () => this.#trak(each, TRACK_ID + at));
      });
      if (this.sample !== undefined) return;
      this.#box('mvex', () => {
        this.#length();
        this.tracks.forEach(({ track }, at) => {
          this.#extends(track, TRACK_ID + at);
        });
      });
    });
  }

  #trak({ track, entry }: TrackEntry, id: number): void {
    const { kind, alternateGroup, timescale, editMedia, language } = track;
    const duration = this.sample?.duration ?? 0;
    this.#full('tkhd', ENABLED | IN_MOVIE, () => {
      this.zeros(8);
      this.u32(id);
      this.zeros(4);
      this.u32(duration);
      this.zeros(8);
      this.u16(0);
      this.u16(alternateGroup & 0xffff);
      this.u16(kind === 'audio' ? 0x100 : 0);
      this.u16(0);
      this.bytes(track.matrix);
      this.u32(track.width);
      this.u32(track.height);
    });
    if (editMedia > 0 && this.sample === undefined) this.#box('edts', () => this.#edits(editMedia));
    this.#box('mdia', () => {
      this.#full('mdhd', 0, () => {
        this.zeros(8);
        this.u32(timescale);
        this.u32(duration);
        this.u16(packedLanguage(language));
        this.u16(0);
      });
      this.#handler(track);
      if (!isPacked(language)) this.#full('elng', 0, () => this.#text(language));
      this.#box('minf', () => this.#information(kind, entry));
    });
  }

  /** One edit as long as the fragments are (section 8.6.6.1). */
  #edits(media: number): void {
    const mark = this.openFull('elst', 1, 0);
    this.u32(1);
    this.u64(0);
    this.i64(media);
    this.u32(0x10000);
    this.close(mark);
  }

  #handler({ kind, handler, name }: InitTrack): void {
    this.#full('hdlr', 0, () => {
      this.u32(0);
      this.fourcc(kind === 'text' ? handler : HANDLERS[kind]);
      this.zeros(12);
      this.#text(name.slice(0, NAME_MAX));
    });
  }

  #information(kind: TrackKind, entry: Uint8Array): void {
    if (kind === 'video') this.#full('vmhd', 1, () => this.zeros(8));
    else if (kind === 'audio') this.#full('smhd', 0, () => this.zeros(4));
    else this.#full('nmhd', 0, () => {});
    this.#box('dinf', () =>
      this.#full('dref', 0, () => {
        this.u32(1);
        this.#full('url ', 1, () => {});
      }),
    );
    this.#box('stbl', () => {
      this.#full('stsd', 0, () => {
        this.u32(1);
        this.bytes(entry);
      });
      const table = (type: string, ...fields: readonly number[]) =>
        this.#full(type, 0, () => {
          for (const field of fields) this.u32(field);
        });
      if (this.sample === undefined) {
        for (const type of ['stts', 'stsc', 'stco']) table(type, 0);
        table('stsz', 0, 0);
        return;
      }
      const { duration, size } = this.sample;
      table('stts', 1, 1, duration);
      table('stsc', 1, 1, 1, 1);
      table('stsz', size, 1);
      table('stco', 1, 0);
      this.chunkOffset = this.length - 4;
    });
  }

  /** How long the fragments are in all; what is live has no end yet. */
  #length(): void {
    const end = Math.max(...this.tracks.map(({ track }) => track.end));
    if (end <= 0) return;
    const mark = this.openFull('mehd', 1, 0);
    this.u64(end);
    this.close(mark);
  }

  #extends({ defaultDuration, defaultSize, syncs }: InitTrack, id: number): void {
    this.#full('trex', 0, () => {
      this.u32(id);
      this.u32(1);
      this.u32(defaultDuration);
      this.u32(defaultSize);
      this.u32(defaultFlags(syncs));
    });
  }

  #text(text: string): void {
    this.bytes(Buffer.from(text.replaceAll('\0', '')));
    this.u8(0);
  }

  #box(type: string, contents: () => void): void {
    const mark = this.open(type);
    contents();
    this.close(mark);
  }

  #full(type: string, flags: number, contents: () => void): void {
    const mark = this.openFull(type, 0, flags);
    contents();
    this.close(mark);
  }
}

/** Whether a language is a code of ISO 639-2, which `mdhd` holds (section 8.4.2.3); `elng` holds any other. */
function isPacked(language: string): boolean {
  return /^[a-z]{3}$/.test(language);
}

function packedLanguage(language: string): number {
  return [...(isPacked(language) ? language : 'und')].reduce(
    (code, letter) => code * 32 + letter.charCodeAt(0) - 0x60,
    0,
  );
}
