import { type Document, isMap, isNode, isPair, isScalar, isSeq, LineCounter, type Node, parseDocument } from 'yaml';
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

/** Most levels of groups and lists within each other; the settings have seven. */
const DEPTH_MAX = 64;
const TOO_DEEP = 'expected fewer groups and lists within each other';

/** A YAML text that remembers where its values stand. */
export class YamlSource {
  readonly errors: readonly YamlError[];
  /** The text as plain data; `null` values are undefined, so that `key:` alone leaves a setting at its default. */
  readonly value: unknown;
  readonly #document: Document.Parsed;
  readonly #lines = new LineCounter();

  /** @param text at most a few megabytes */
  constructor(text: string) {
    const options = { lineCounter: this.#lines, prettyErrors: false, uniqueKeys: false, logLevel: 'error' } as const;
    try {
      this.#document = parseDocument(text, options);
    } catch {
      // The parser goes down into what is nested, until its stack is full.
      this.#document = parseDocument('', options);
      this.errors = [{ line: 1, column: 1, message: TOO_DEEP }];
      return;
    }
    const errors = this.#document.errors.map(({ pos, message }) => this.#error(pos[0], unquoted(message)));
    if (errors.length === 0) errors.push(...this.#structureErrors());
    try {
      this.value = errors.length > 0 ? undefined : withoutNull(this.#document.toJS({ maxAliasCount: 100 }) ?? {});
    } catch (error) {
      errors.push({ line: 1, column: 1, message: unquoted((error as Error).message) });
    }
    this.errors = errors;
  }

  /** Keys that stand twice, and what is nested deeper than any setting. */
  #structureErrors(): YamlError[] {
    const errors: YamlError[] = [];
    let level: unknown[] = [this.#document.contents];
    for (let depth = 0; level.length > 0; depth++) {
      if (depth > DEPTH_MAX) return [this.#error(offsetOf(level[0]) ?? 0, TOO_DEEP)];
      const below: unknown[] = [];
      for (const node of level) {
        if (isSeq(node)) for (const item of node.items) below.push(item);
        if (!isMap(node)) continue;
        const keys = new Set<unknown>();
        for (const { key, value } of node.items) {
          const name = isScalar(key) ? key.value : key;
          if (keys.has(name)) errors.push(this.#error(offsetOf(key) ?? 0, 'keys of a group must be unique'));
          keys.add(name);
          below.push(key, value);
        }
      }
      level = below;
    }
    return errors;
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

  #error(offset: number, message: string): YamlError {
    return { ...this.#position(offset), message };
  }

  #position(offset: number): Position {
    const { line, col } = this.#lines.linePos(offset);
    return { line: Math.max(1, line), column: Math.max(1, col) };
  }
}

function offsetOf(node: unknown): number | undefined {
  return isNode(node) ? (node as Node).range?.[0] : undefined;
}

/** What the parser says, without what it quotes from the text, which may be a secret. */
function unquoted(message: string): string {
  return message.includes('call stack') ? TOO_DEEP : message.replace(/: .*$/s, '');
}

function withoutNull(value: unknown): unknown {
  if (value === null) return undefined;
  if (Array.isArray(value)) return value.map(withoutNull);
  if (typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).map(([key, child]) => [key, withoutNull(child)]));
}
