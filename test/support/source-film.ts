import type { ObjectId } from '../../src/base/block.js';
import type { SuppliedObject } from '../../src/cache/fetch/block-loader.js';
import type { FakeOrigin } from './fake-origin.js';

/** Path of the film. */
export const FILM = '/film.mp4';

/** A film of an origin as a supply brings it; put it there in its first version. @param changed told when the origin has another one */
export function suppliedFilm(origin: FakeOrigin, size: number, changed: () => void = () => {}): SuppliedObject {
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
