import { EdgeError } from '../../../base/errors.js';
import type { Content, ContentRequest, OpenObject, OpenStream } from '../../../catalog/content.js';
import { type Reading, whenThere } from '../../../media/io/reading.js';
import { HEADER, OpenedMedia } from '../../opened-media.js';
import type { SetMember } from './member.js';

/** Codes of errors that say what a file is, and not how its origin fares: the set goes on without it. */
const LASTING: ReadonlySet<string> = new Set([
  'bad_request',
  'forbidden',
  'gone',
  'media_too_large',
  'not_found',
  'range_not_satisfiable',
  'redirected',
  'unauthorized',
  'unplayable',
]);

/** True for an error for which a set leaves a file out. */
export function isLasting(error: unknown): error is EdgeError {
  return error instanceof EdgeError && LASTING.has(error.code);
}

/** A file of a set that is there. */
export interface OpenMember {
  readonly member: SetMember;
  readonly opened: OpenObject;
  readonly media: OpenedMedia;
}

/** The same request for another file. */
function requestFor(path: string, request: ContentRequest): ContentRequest {
  const { host, query, asker } = request;
  return { host, path, query, hint: HEADER, asker, field: name => request.field(name) };
}

/**
 * Opens the first of some files that is there.
 * @throws EdgeError what is wrong with the first one, when none is
 */
export function* openFirst(
  content: Content,
  paths: readonly string[],
  request: ContentRequest,
): Reading<OpenObject | OpenStream> {
  let failure: unknown;
  for (const path of paths) {
    try {
      return yield* whenThere(content.open(requestFor(path, request)));
    } catch (error) {
      if (!isLasting(error)) throw error;
      failure ??= error;
    }
  }
  throw failure;
}

/** Gives what an opening has come to, or throws why it failed. */
type Attempt = () => ReturnType<Content['open']>;

/** Begins to open an object. Its failure is told when it is asked for. */
function attempt(content: Content, request: ContentRequest): Attempt {
  try {
    const opened = content.open(request);
    if (opened instanceof Promise) opened.catch(() => {});
    return () => opened;
  } catch (error) {
    return () => {
      throw error;
    };
  }
}

/** The files of a set, opened for one request. */
export class OpenedSet {
  /** By the place of each file; undefined for one that is not there. */
  readonly members: (OpenMember | undefined)[] = [];
  /** What is not there, and why. */
  readonly notes: string[] = [];
  readonly #held: OpenObject[] = [];
  #failure: unknown;

  /**
   * @param isFilm whether it is a film on its own, whose tracks have no number of a file in their names
   * @param held what the request has opened already, which is let go with the rest
   */
  constructor(
    readonly isFilm: boolean,
    held: OpenObject,
  ) {
    this.#held.push(held);
  }

  get films(): OpenMember[] {
    return this.members.filter((open): open is OpenMember => open?.member.kind === 'film');
  }

  get texts(): OpenMember[] {
    return this.members.filter((open): open is OpenMember => open?.member.kind === 'subtitles');
  }

  /** The number of a file in the names of its tracks. */
  fileNumber(open: OpenMember): number {
    const place = this.members.indexOf(open);
    return this.isFilm && place === 0 ? 0 : place + 1;
  }

  /** @throws EdgeError when an origin fails, or no file is there */
  *open(content: Content, members: readonly SetMember[], request: ContentRequest): Reading<void> {
    // All are asked for at once; what fails is told when nothing is under way any more, so that all can be let go.
    const attempts = members.map(({ path }) => attempt(content, requestFor(path, request)));
    let failure: unknown;
    for (const [place, member] of members.entries()) {
      try {
        this.members.push(yield* this.#openOne(attempts[place]!, member));
      } catch (error) {
        failure ??= error;
      }
    }
    if (failure !== undefined) throw failure;
    if (!this.members.some(open => open?.member.kind === 'film')) throw this.#failure;
  }

  *#openOne(attempt: Attempt, member: SetMember): Reading<OpenMember | undefined> {
    try {
      const opened = yield* whenThere(attempt());
      if (opened.kind === 'object') {
        this.#held.push(opened);
        return { member, opened, media: new OpenedMedia(opened) };
      }
      opened.release();
      throw unsized();
    } catch (error) {
      if (!isLasting(error)) throw error;
      if (!member.isOptional) {
        this.#failure ??= error;
        this.notes.push(leftOut(member.path, error));
      }
      return undefined;
    }
  }

  /** Lets go of all that was opened. */
  release(): void {
    for (const opened of this.#held) opened.release();
  }

  /** The set as what an answer is made from, with the age of its oldest file. */
  asOne(main: OpenObject): OpenObject {
    const held = this.#held;
    return {
      kind: 'object',
      object: main.object,
      age: held.reduce((age, opened) => Math.max(age, opened.age), 0),
      outcome: held.find(({ outcome }) => outcome !== undefined)?.outcome,
      reader: () => main.reader(),
      source: () => main.source(),
      cachedUpTo: (start, end) => main.cachedUpTo(start, end),
      release: () => this.release(),
    };
  }
}

/** The error of a file whose length nobody knows yet. */
export function unsized(): EdgeError {
  return new EdgeError('unplayable', 'a file of unknown length can be packaged when all of it has come: ask again');
}

/** A note on a file that a set goes on without. */
export function leftOut(path: string, { message }: Pick<EdgeError, 'message'>): string {
  return `${path.slice(path.lastIndexOf('/') + 1)} is left out: ${message}`;
}
