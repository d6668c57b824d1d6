import type { ObjectList, View, ViewKind, ViewTarget } from './view.js';

/** The table of the kinds of views. */
export class Views {
  /** Names of the query parameters that belong to some kind. */
  readonly parameters: ReadonlySet<string>;
  readonly #kinds: readonly ViewKind[];

  /** @param kinds in the order in which they are asked */
  constructor(kinds: readonly ViewKind[]) {
    this.#kinds = kinds;
    this.parameters = new Set(kinds.flatMap(({ parameters }) => parameters));
  }

  /** The view that a target names; undefined when the object as it is answers it. */
  find(target: ViewTarget): View | undefined {
    for (const kind of this.#kinds) {
      const view = kind.find(target);
      if (view !== undefined) return view;
    }
    return undefined;
  }

  /** Paths of the objects of a set that a path stands for, or how to read them; undefined when it is no set. */
  setAt(path: string): readonly string[] | ObjectList | undefined {
    for (const kind of this.#kinds) {
      const set = kind.setAt?.(path);
      if (set !== undefined) return set;
    }
    return undefined;
  }
}
