import type { Content, ContentRequest, OpenObject, OpenStream } from '../catalog/content.js';
import type { MediaPackager } from '../media/packaging/media-package.js';
import type { MediaPlanner } from '../media/seek/media.js';
import type { VirtualFile } from '../virtual-file/virtual-file.js';

/** What the target of a request names, checked. */
export interface ViewTarget {
  /** Absolute path, octet for octet. */
  readonly path: string;
  /** Raw values of the query's parameters that belong to kinds of views, the first of each name. */
  readonly parameters: ReadonlyMap<string, string>;
}

/** What the makers of views work with. */
export interface ViewStage {
  readonly content: Content;
  readonly planner: MediaPlanner;
  readonly packager: MediaPackager;
}

/** A file made of an object, ready to be sent. */
export interface ViewFile {
  readonly kind: 'file';
  /**
   * The object that the spans are bytes of, with the age and the outcome of the answer. Either what the view was given,
   * or something in its place: then its `release` lets go of that, too.
   */
  readonly opened: OpenObject;
  readonly file: VirtualFile;
  /** Fields that describe the file; they stand in place of the object's of the same names. */
  readonly fields: readonly (readonly [name: string, value: string])[];
}

/** What a view comes to: a file of its own, or the object or the stream as it is. */
export type MadeView = ViewFile | OpenObject | OpenStream;

/** One way to look at an object: from a second on, as a playlist, as one of its segments. */
export interface View {
  /**
   * Path of the object, by which it is routed, cached and purged: the target's, or the part of it that names a file.
   */
  readonly path: string;
  /** Paths of further objects that have a part in it, as far as the target tells: they are purged with it. */
  readonly others?: readonly string[];
  /** It is of this edge alone: no other one is asked for it. */
  readonly isLocal?: boolean;
  /** What of the object is read first, for the first fetch; undefined when the request's Range tells. */
  readonly hint: ContentRequest['hint'] | undefined;
  /**
   * Opens the object that the answer is made of, where that is not simply the one at `path`.
   * @throws what `Content.open` throws
   */
  open?(request: ContentRequest, content: Content): OpenObject | OpenStream | Promise<OpenObject | OpenStream>;
  /**
   * Makes the answer; at once when all that it needs is at hand. The caller releases what was opened, also after a
   * failure.
   * @param request that `opened` answers; its query is the target's without parameters of views. A view of several
   *   objects opens the others with requests of its own that have the fields of this one, and has them released, too.
   * @throws EdgeError (or rejects with one): the answer in place of a file
   */
  make(opened: OpenObject | OpenStream, request: ContentRequest, stage: ViewStage): MadeView | Promise<MadeView>;
}

/** An object whose bytes say which further objects a set has. */
export interface ObjectList {
  /** Most bytes that it may have. */
  readonly most: number;
  /**
   * Paths of the objects that it names.
   * @throws EdgeError when the bytes are no such list
   */
  pathsIn(bytes: Uint8Array): readonly string[];
}

/** A kind of views: a row of the table. Knows which targets are its own; opens and reads nothing. */
export interface ViewKind {
  /** Names of query parameters that are the view's, on whatever path: no origin sees them, no key holds them. */
  readonly parameters: readonly string[];
  /** The view that a target names; undefined when it names none of this kind. */
  find(target: ViewTarget): View | undefined;
  /**
   * What a path stands for that is a set of objects: their paths, or how to read them in the object at that path. They
   * are purged with it.
   */
  setAt?(path: string): readonly string[] | ObjectList | undefined;
}
