import type { ContentRequest, OpenObject, OpenStream } from '../../catalog/content.js';
import type { MediaObject, MediaPlanner } from '../../media/seek/media.js';
import type { Seek } from '../../media/seek/seek.js';
import type { VirtualFile } from '../../virtual-file/virtual-file.js';
import { HEADER, OpenedMedia } from '../opened-media.js';
import type { MadeView, View, ViewKind, ViewStage, ViewTarget } from '../view.js';
import { seekFields } from './seek-fields.js';
import { parseSeek } from './seek-query.js';

/** When files whose index stands last are put in an order fit for streaming: only when players seek, or always. */
export type Faststart = 'off' | 'always';

/** Films from a second on, or up to one: `?start=` and `?end=`. */
export class SeekViews implements ViewKind {
  readonly parameters: readonly string[] = ['start', 'end'];
  readonly #faststart: Faststart;

  constructor(faststart: Faststart) {
    this.#faststart = faststart;
  }

  find({ path, parameters }: ViewTarget): SeekView | undefined {
    const start = parameters.get('start');
    const end = parameters.get('end');
    const isAsked = start !== undefined || end !== undefined;
    if (!isAsked && this.#faststart === 'off') return undefined;
    return new SeekView(path, isAsked ? HEADER : undefined, parseSeek({ start, end }), this.#faststart);
  }
}

/** One seek. */
class SeekView implements View {
  constructor(
    readonly path: string,
    readonly hint: ContentRequest['hint'] | undefined,
    private readonly seek: Seek | undefined,
    private readonly faststart: Faststart,
  ) {}

  make(opened: OpenObject | OpenStream, _: ContentRequest, { planner }: ViewStage): MadeView | Promise<MadeView> {
    // What has no end yet can't be cut: the player gets it from the beginning.
    if (opened.kind === 'stream') return opened;
    const file = this.plan(new OpenedMedia(opened), planner);
    return file instanceof Promise ? file.then(made => answer(opened, made)) : answer(opened, file);
  }

  /**
   * The file that begins where the seek says; undefined when the plain file is the answer.
   * @throws EdgeError (or rejects with one) what the planner throws
   */
  plan(object: MediaObject, planner: MediaPlanner): VirtualFile | undefined | Promise<VirtualFile | undefined> {
    const { seek } = this;
    if (seek === undefined) return this.faststart === 'always' ? planner.whole(object) : undefined;
    if (seek.start > 0 || seek.end !== undefined) return planner.seek(object, seek);
    const whole = planner.whole(object);
    return whole instanceof Promise ? whole.then(fromBeginning) : fromBeginning(whole);
  }
}

/** A player that sought is told where the answer begins, though it is the whole. */
function fromBeginning(file: VirtualFile | undefined): VirtualFile | undefined {
  return file && { ...file, seekActual: 0 };
}

function answer(opened: OpenObject, file: VirtualFile | undefined): MadeView {
  if (file === undefined) return opened;
  return { kind: 'file', opened, file, fields: seekFields(file) };
}
