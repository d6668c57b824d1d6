import { EdgeError } from '../../base/errors.js';
import type { Content, ContentRequest, OpenObject, OpenStream } from '../../catalog/content.js';
import { perform, type Reading, whenThere } from '../../media/io/reading.js';
import { type Frame, firstFrame, frameSpans, keyFrameAt, rowAt } from '../../media/packaging/frame.js';
import type { MediaPackage, MediaPackager, PackageTrack, Segmentation } from '../../media/packaging/media-package.js';
import type { MediaObject } from '../../media/seek/media.js';
import { seekEtag } from '../../media/seek/seek-etag.js';
import { lengthOf } from '../../virtual-file/slice.js';
import type { VirtualFile } from '../../virtual-file/virtual-file.js';
import { HEADER, OpenedMedia } from '../opened-media.js';
import { openFirst, unsized } from '../packaging/set/opened-set.js';
import { SetLists } from '../packaging/set/set-lists.js';
import { fileKind, fileSet, isPackagedFile } from '../packaging/url/file-set.js';
import { seekFields } from '../seek/seek-fields.js';
import { parseSeconds } from '../seek/seek-query.js';
import type { View, ViewFile, ViewKind, ViewStage, ViewTarget } from '../view.js';

/** Layout of the files, for their entity tags. */
const LAYOUT = 'frame-1';
/** Seconds by which a frame may be later than asked for: they are told in microseconds. */
const FINE = 1e-6;

/** Bytes of lists of sets that are kept. */
const LISTS = 64 * 1024;

/** One picture of a film: `?frame=SECONDS`, the key frame at or before that second as an MP4. */
export class FrameViews implements ViewKind {
  readonly parameters: readonly string[] = ['frame'];
  readonly #lists = new SetLists(LISTS);

  /** @param cut how films are packaged, whose index frames are found by */
  constructor(private readonly cut: Segmentation) {}

  /** @throws EdgeError `bad_request` for a set of files that may not be asked for */
  find({ path, parameters }: ViewTarget): View | undefined {
    const second = parseSeconds(parameters.get('frame'));
    return second === undefined ? undefined : new FrameView(path, second, this.cut, this.#lists);
  }
}

class FrameView implements View {
  readonly path: string;
  readonly others: readonly string[];
  readonly hint = HEADER;
  /** Whether the object at the path is a list of the set's films. */
  readonly #isListed: boolean;

  constructor(
    path: string,
    private readonly second: number,
    private readonly cut: Segmentation,
    private readonly lists: SetLists,
  ) {
    const set = isPackagedFile(path) ? fileSet(path) : undefined;
    this.#isListed = set?.kind === 'list';
    const films = set?.kind === 'urlset' ? set.paths.filter(each => fileKind(each) === 'film') : [path];
    [this.path, ...this.others] = films as [string, ...string[]];
  }

  /** Of a set it is the first film that is there. */
  open(request: ContentRequest, content: Content): OpenObject | OpenStream | Promise<OpenObject | OpenStream> {
    if (this.#isListed) return perform(this.#openListed(request, content));
    if (this.others.length === 0) return content.open(request);
    return perform(openFirst(content, [this.path, ...this.others], request));
  }

  *#openListed(request: ContentRequest, content: Content): Reading<OpenObject | OpenStream> {
    const list = yield* whenThere(content.open(request));
    try {
      if (list.kind === 'stream') throw unsized();
      const members = yield* this.lists.members(new OpenedMedia(list), this.path);
      const films = members.filter(({ kind }) => kind === 'film').map(({ path }) => path);
      return yield* openFirst(content, films, request);
    } finally {
      list.release();
    }
  }

  make(opened: OpenObject | OpenStream, _: ContentRequest, { packager }: ViewStage): ViewFile | Promise<ViewFile> {
    if (opened.kind === 'stream')
      throw new EdgeError('unplayable', 'expected a film of a known size, found one that is still coming; try later');
    return perform(this.#make(opened, packager));
  }

  *#make(opened: OpenObject, packager: MediaPackager): Reading<ViewFile> {
    const object = new OpenedMedia(opened);
    const pack = yield* whenThere(packager.package(object, this.cut));
    const track = pack.tracks.find(({ kind }) => kind === 'video');
    if (track === undefined) throw new EdgeError('unplayable', `expected a film with pictures, found ${without(pack)}`);
    const frame = yield* this.#frame(object, pack, track, packager);
    const second = frame.time / track.timescale + pack.origin;
    const file = fileOf(object, track, frame, second);
    return { kind: 'file', opened, file, fields: seekFields(file) };
  }

  /** The key frame at or before the second; the first one where there is none. */
  *#frame(object: MediaObject, pack: MediaPackage, track: PackageTrack, packager: MediaPackager): Reading<Frame> {
    const end = pack.duration + pack.origin;
    if (this.second >= end) {
      const message = `the film ends at ${end.toFixed(3)} s, there is no frame at ${this.second} s`;
      throw new EdgeError('range_not_satisfiable', message);
    }
    const { segments, timescale } = track;
    const ticks = (this.second - pack.origin + FINE) * timescale;
    const samples = (row: number) =>
      whenThere(packager.samples(object, track, segments.samples[row]!, segments.samples[row + 1]!));
    // Pictures that are shown before the key frame that they follow may begin a segment.
    for (let row = rowAt(segments, ticks); row >= 0; row--) {
      const found = keyFrameAt(track, row, yield* samples(row), ticks);
      if (found !== undefined) return found;
    }
    return firstFrame(track, yield* samples(0));
  }
}

function without({ omitted }: MediaPackage): string {
  const reasons = omitted.map(({ id, reason }) => `track ${id}: ${reason}`);
  return reasons.length === 0 ? 'none' : `none: ${reasons.join('; ')}`;
}

function fileOf(object: MediaObject, track: PackageTrack, frame: Frame, second: number): VirtualFile {
  const spans = frameSpans(track, frame);
  return {
    size: lengthOf(spans),
    etag: seekEtag(object.etag, LAYOUT, [frame.sample]),
    lastModified: object.lastModified,
    contentType: 'video/mp4',
    spans,
    seekActual: second,
  };
}
