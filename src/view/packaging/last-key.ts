import type { OpenObject } from '../../catalog/content.js';

/** The key under which a view's answer is kept: made once for all who ask for the same, one after the other. */
export class LastKey {
  #object: OpenObject['object'] | undefined;
  #asked = '';
  #key = '';

  /**
   * @param asked what else than the object decides the key
   * @param make makes it
   */
  of({ object }: OpenObject, asked: string, make: () => string): string {
    if (object !== this.#object || asked !== this.#asked) {
      this.#key = make();
      this.#object = object;
      this.#asked = asked;
    }
    return this.#key;
  }
}
