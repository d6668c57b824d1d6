import { isMap, isNode, isPair, isSeq, LineCounter, type Node, parseDocument } from 'yaml';
import type { SettingPath } from './setting.js';

/** A place in a text, both counted from 1. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

/** Something that keeps a text from being YAML. */
export interface YamlError extends Position {
  readonly message: string;
}

/** A YAML text that remembers where its values stand. */
export class YamlSource {
  readonly errors: readonly YamlError[];
  /** The text as plain data; `null` values are undefined, so that `key:` alone leaves a setting at its default. */
  readonly value: unknown;
  readonly #document;
  readonly #lines = new LineCounter();

  /** @param text at most a few megabytes */
  constructor(text: string) {
    this.#document = parseDocument(text, { lineCounter: this.#lines, prettyErrors: false });
    const errors = this.#document.errors.map(error => ({ ...this.#position(error.pos[0]), message: error.message }));
    try {
      this.value = errors.length > 0 ? undefined : withoutNull(this.#document.toJS({ maxAliasCount: 100 }) ?? {});
    } catch (error) {
      errors.push({ line: 1, column: 1, message: (error as Error).message });
    }
    this.errors = errors;
  }

  /** Where the key at `path` stands (or the item of a list), or as much of the path as there is. */
  keyPosition(path: SettingPath): Position {
    return this.#position(this.#find(path).key);
  }

  /** Where the value at `path` stands, or the key when it has none, or as much of the path as there is. */
  valuePosition(path: SettingPath): Position {
    return this.#position(this.#find(path).value);
  }

  #find(path: SettingPath): { key: number; value: number } {
    let node: unknown = this.#document.contents;
    let key = offsetOf(node) ?? 0;
    let value = key;
    for (const step of path) {
      if (isMap(node)) {
        const pair = node.items.find(
          each => isPair(each) && isNode(each.key) && each.key.toJS(this.#document) === step,
        );
        if (pair === undefined) break;
        key = offsetOf(pair.key) ?? value;
        node = pair.value;
      } else if (isSeq(node) && node.items[Number(step)] !== undefined) {
        node = node.items[Number(step)];
        key = offsetOf(node) ?? value;
      } else {
        break;
      }
      value = offsetOf(node) ?? key;
    }
    return { key, value };
  }

  #position(offset: number): Position {
    const { line, col } = this.#lines.linePos(offset);
    return { line: Math.max(1, line), column: Math.max(1, col) };
  }
}

function offsetOf(node: unknown): number | undefined {
  return isNode(node) ? (node as Node).range?.[0] : undefined;
}

function withoutNull(value: unknown): unknown {
  if (value === null) return undefined;
  if (Array.isArray(value)) return value.map(withoutNull);
  if (typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).map(([key, child]) => [key, withoutNull(child)]));
}
