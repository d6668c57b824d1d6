import type { ObjectId } from '../../src/base/block.js';
import type { SourceObject } from '../../src/cache/fetch/source-object.js';
import type { FakeOrigin } from './fake-origin.js';

/** Path of the film. */
export const FILM = '/film.mp4';

/**
 * A film of an origin as a loader brings it; put it there in its first version. @param changed told when the origin has
 * another one
 */
export function sourceFilm(origin: FakeOrigin, size: number, changed: () => void = () => {}): SourceObject {
  return {
    id: new Uint32Array([1, 2, 3, 4]) as ObjectId,
    size,
    origin,
    path: FILM,
    query: '',
    fields: {},
    validator: { etag: '"v1"', lastModified: undefined },
    cacheable: true,
    changed,
  };
}
