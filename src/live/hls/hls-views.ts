import { EdgeError } from '../../base/errors.js';
import type { ContentRequest, OpenObject, OpenStream } from '../../catalog/content.js';
import { passedOn } from '../../view/packaging/url/child-query.js';
import type { MadeView, View, ViewKind, ViewTarget } from '../../view/view.js';
import type { HlsFiles } from './hls-files.js';
import type { HlsObject } from './hls-object.js';
import type { HlsStreams } from './hls-streams.js';
import { type HlsTarget, parseHlsPath } from './hls-url.js';

/** Brings a stream by its name: a promise when that takes a while. */
export type BringStream = (name: string) => unknown;

/** Live streams as HLS, among what players may ask for. */
export class HlsViews implements ViewKind {
  /** Directives are no parameters: those of other playlists belong to their origins. */
  readonly parameters = [];
  readonly #root: string;
  readonly #streams: HlsStreams;
  readonly #files: HlsFiles;
  readonly #bring: BringStream | undefined;

  /**
   * @param root path of live streams, with a slash at both ends
   * @param bring brings streams that are elsewhere, and has them kept
   */
  constructor(root: string, streams: HlsStreams, files: HlsFiles, bring?: BringStream) {
    this.#root = root;
    this.#streams = streams;
    this.#files = files;
    this.#bring = bring;
  }

  find({ path }: ViewTarget): View | undefined {
    const target = parseHlsPath(this.#root, path);
    return target && new HlsView(path, target, this.#streams, this.#files, this.#bring);
  }
}

class HlsView implements View {
  readonly isLocal = true;
  readonly hint = undefined;

  constructor(
    readonly path: string,
    private readonly target: HlsTarget,
    private readonly streams: HlsStreams,
    private readonly files: HlsFiles,
    private readonly bring: BringStream | undefined,
  ) {}

  open(request: ContentRequest): OpenObject | Promise<OpenObject> {
    const brought = this.bring?.(this.target.stream);
    return brought instanceof Promise ? brought.then(() => this.#open(request)) : this.#open(request);
  }

  #open(request: ContentRequest): OpenObject | Promise<OpenObject> {
    const { stream: name, file } = this.target;
    const stream = this.streams.find(name);
    if (stream === undefined) throw new EdgeError('not_found', `there is no live stream ${name}`);
    return this.files.open(stream, file, passedOn(request));
  }

  make(opened: OpenObject | OpenStream): MadeView {
    return (opened as HlsObject).answer;
  }
}
