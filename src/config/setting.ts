import { z } from 'zod';
import type { JsonSchema, Kind } from './kind.js';

/** What is known of a setting beside its value. */
export interface SettingInfo {
  /** One sentence for people. */
  readonly text: string;
  /** What values it takes. */
  readonly expected: string;
  /** True when its value must not be shown. */
  readonly secret: boolean;
  /** True when a relative value is taken from the folder of the configuration file. */
  readonly path: boolean;
  /** JSON Schema of its values. */
  readonly json: JsonSchema;
}

/** A setting of the tree, as `describeSettings` lists it. */
export interface DescribedSetting extends SettingInfo {
  /** Keys joined by dots; `[]` stands for any item of a list and `*` for any key of a map. */
  readonly key: string;
  /** The default as a user would write it; undefined when there is none. */
  readonly default: unknown;
}

/** Keys and list indexes that lead from the root of a configuration to one of its values. */
export type SettingPath = readonly (string | number)[];

/** Something that is wrong with a configuration. */
export interface Issue {
  readonly path: SettingPath;
  /** What was expected at `path`; undefined when the key itself is unknown. */
  readonly expected: string | undefined;
  /** What to do about it, when that is known. */
  readonly hint: string | undefined;
}

/** A schema: a setting, a group, a list or a map of them. */
export type Schema = z.core.$ZodType;
/** The checked values of a schema. */
export type Values<S extends Schema> = z.output<S>;

const infos = z.registry<SettingInfo>();

/**
 * A setting: one leaf of the schema. Its default is given with `.prefault(…)`, as a user would write it; `.optional()`
 * makes it one that may be left out.
 * @param kind what it may be
 * @param text what it does, one sentence
 */
export function setting<T>(kind: Kind<T>, text: string, options: { secret?: boolean } = {}) {
  const leaf = z.unknown().transform((value, context): T => {
    const parsed = kind.parse(value);
    if (parsed !== undefined) return parsed;
    const hint = value === undefined ? undefined : kind.hint?.(value);
    context.addIssue({ code: 'custom', message: `expected ${kind.expected}`, params: { hint } });
    return z.NEVER;
  });
  const { expected, path = false, json } = kind;
  infos.add(leaf, { text, expected, secret: options.secret === true, path, json });
  return leaf;
}

/** A group of settings, all of which may be left out. Unknown keys are errors. */
export function group<S extends z.core.$ZodShape>(shape: S) {
  return z.strictObject(shape).prefault({} as never);
}

/** A list; when left out, it is empty. */
export function list<S extends Schema>(item: S, { max }: { max: number }) {
  return z.array(item).max(max, `expected at most ${max} items`).prefault([]);
}

const single = new WeakSet<Schema>();

/**
 * A list of which a single item may stand by itself. When it is left out, it has one item, in which everything has its
 * default.
 */
export function oneOrMore<S extends Schema>(item: S, { max }: { max: number }) {
  const many = z.array(item).min(1, 'expected at least one item').max(max, `expected at most ${max} items`);
  single.add(many);
  return many.prefault([{}] as never);
}

/** What was written, with lists in the place of single items. */
function asLists(schema: Schema, value: unknown): unknown {
  if (schema instanceof z.ZodPrefault || schema instanceof z.ZodOptional) {
    return value === undefined ? undefined : asLists(schema.unwrap(), value);
  }
  if (schema instanceof z.ZodArray) {
    const items = single.has(schema) && !Array.isArray(value) ? [value] : value;
    return Array.isArray(items) ? items.map(child => asLists(schema.element, child)) : items;
  }
  if (!(schema instanceof z.ZodObject) || !isGroup(value)) return value;
  const changed: Record<string, unknown> = { ...value };
  for (const [name, child] of childrenOf(schema)) {
    if (Object.hasOwn(value, name)) changed[name] = asLists(child, value[name]);
  }
  return changed;
}

/** A path as whoever wrote `value` sees it: without the indexes of items that stand by themselves. */
function asWritten(schema: Schema, value: unknown, [head, ...rest]: SettingPath): SettingPath {
  if (schema instanceof z.ZodPrefault || schema instanceof z.ZodOptional) {
    return head === undefined ? [] : asWritten(schema.unwrap(), value, [head, ...rest]);
  }
  if (head === undefined) return [];
  if (schema instanceof z.ZodArray) {
    if (single.has(schema) && !Array.isArray(value)) return asWritten(schema.element, value, rest);
    const item = Array.isArray(value) ? value[Number(head)] : undefined;
    return [head, ...asWritten(schema.element, item, rest)];
  }
  const child = schema instanceof z.ZodObject ? childrenOf(schema).find(([name]) => name === head)?.[1] : undefined;
  const below = isGroup(value) ? value[head] : undefined;
  return child === undefined ? [head, ...rest] : [head, ...asWritten(child, below, rest)];
}

/** An item of a list or an optional group: settings that belong together. Unknown keys are errors. */
export function item<S extends z.core.$ZodShape>(shape: S) {
  return z.strictObject(shape);
}

/** Settings under names that the user chooses. */
export function map<S extends Schema>(value: S) {
  return z.record(z.string(), value).prefault({});
}

/** Values some of which may be missing, because they were wrong. */
export type Draft<T> =
  | (T extends readonly (infer I)[] ? Draft<I>[] : T extends object ? { [K in keyof T]?: Draft<T[K]> } : T)
  | undefined;

/** Says that something is wrong at a path below the schema that a rule stands at. */
export type Wrong = (path: SettingPath, expected: string) => void;

/**
 * Adds rules between settings. They are applied even when single settings are wrong, whose values are then undefined.
 */
export function withRules<S extends z.ZodType>(schema: S, rules: (values: Draft<Values<S>>, wrong: Wrong) => void) {
  return schema.superRefine(
    (values, context) => {
      rules(draft(schema, values) as Draft<Values<S>>, (path, message) => {
        context.addIssue({ code: 'custom', message, path: [...path], params: { rule: true } });
      });
    },
    { when: () => true },
  );
}

/**
 * A copy in which what did not pass is undefined. What is not even of the right shape, such as a text in the place of a
 * list, zod leaves as it was, so the schema says what may be there.
 */
function draft(schema: Schema, value: unknown): unknown {
  if (value === undefined || value === z.NEVER) return undefined;
  if (schema instanceof z.ZodPrefault || schema instanceof z.ZodOptional) return draft(schema.unwrap(), value);
  if (schema instanceof z.ZodArray) {
    return Array.isArray(value) ? value.map(child => draft(schema.element, child)) : undefined;
  }
  if (schema instanceof z.ZodRecord) {
    return isGroup(value) ? mapped(Object.entries(value), child => draft(schema.valueType, child)) : undefined;
  }
  if (!(schema instanceof z.ZodObject)) return value;
  if (!isGroup(value)) return undefined;
  return Object.fromEntries(childrenOf(schema).map(([name, child]) => [name, draft(child, value[name])]));
}

function isGroup(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function mapped(entries: readonly [string, unknown][], change: (value: unknown) => unknown): object {
  return Object.fromEntries(entries.map(([key, value]) => [key, change(value)]));
}

/** Checks `raw` against `schema`: the values, or everything that is wrong with it. */
export function check<S extends z.ZodType>(schema: S, raw: unknown): { values: Values<S> } | { issues: Issue[] } {
  const result = schema.safeParse(asLists(schema, raw));
  if (result.success) return { values: result.data };
  const rules = result.error.issues.filter(isRule);
  const basic = result.error.issues.filter(issue => !isRule(issue));
  const wrong = basic.filter(issue => issue.code !== 'unrecognized_keys');
  const telling = rules.filter(rule => !wrong.some(issue => touches(issue.path, rule.path)));
  const issues = [...basic, ...telling].flatMap(toIssues);
  return { issues: issues.map(issue => ({ ...issue, path: asWritten(schema, raw, issue.path) })) };
}

function isRule(issue: z.core.$ZodIssue): boolean {
  return issue.code === 'custom' && issue.params?.rule === true;
}

/** True when one path leads to the other: what a rule says of a value that is wrong by itself is noise. */
export function touches(a: readonly PropertyKey[], b: readonly PropertyKey[]): boolean {
  return a.slice(0, b.length).every((step, index) => step === b[index]);
}

function toIssues(issue: z.core.$ZodIssue): Issue[] {
  const path = issue.path as SettingPath;
  switch (issue.code) {
    case 'unrecognized_keys':
      return issue.keys.map(key => ({ path: [...path, key], expected: undefined, hint: undefined }));
    case 'invalid_type':
      return [
        {
          path,
          expected: issue.expected === 'array' ? 'expected a list' : 'expected a group of settings',
          hint: undefined,
        },
      ];
    case 'custom':
      return [{ path, expected: issue.message, hint: issue.params?.hint }];
    default:
      return [{ path, expected: issue.message, hint: undefined }];
  }
}

/** Every leaf under `schema`, in order. */
export function describeSettings(schema: Schema, key = '', fallback?: unknown): DescribedSetting[] {
  const info = infos.get(schema);
  if (info !== undefined) return [{ ...info, key, default: fallback }];
  if (schema instanceof z.ZodPrefault) return describeSettings(schema.unwrap(), key, schema.def.defaultValue);
  if (schema instanceof z.ZodOptional) return describeSettings(schema.unwrap(), key, fallback);
  if (schema instanceof z.ZodArray) return describeSettings(schema.element, single.has(schema) ? key : `${key}[]`);
  if (schema instanceof z.ZodRecord) return describeSettings(schema.valueType, `${key}.*`);
  if (schema instanceof z.ZodObject) {
    return childrenOf(schema).flatMap(([name, child]) => describeSettings(child, key === '' ? name : `${key}.${name}`));
  }
  throw new TypeError(`no setting: ${key}`);
}

/** What may stand in the place of every value: nothing, for the default, and a variable of the environment. */
const INSTEAD: readonly JsonSchema[] = [
  { type: 'null' },
  { type: 'string', pattern: '^\\$\\{[A-Za-z_][A-Za-z0-9_]*\\}$' },
];

/** JSON Schema (draft 7) of what may be written for `schema`, by which editors complete and check it. */
export function editorSchema(schema: Schema, fallback?: unknown): JsonSchema {
  const info = infos.get(schema);
  if (info !== undefined) {
    const description = `${info.text} Expected: ${info.expected}.`;
    return { description, ...(fallback === undefined ? {} : { default: fallback }), anyOf: [info.json, ...INSTEAD] };
  }
  if (schema instanceof z.ZodPrefault) return editorSchema(schema.unwrap(), schema.def.defaultValue);
  if (schema instanceof z.ZodOptional) return editorSchema(schema.unwrap());
  if (schema instanceof z.ZodArray) {
    const items = editorSchema(schema.element);
    const list = { type: ['array', 'null'], items };
    return single.has(schema) ? { anyOf: [list, items] } : list;
  }
  if (schema instanceof z.ZodRecord) {
    return { type: ['object', 'null'], additionalProperties: editorSchema(schema.valueType) };
  }
  if (!(schema instanceof z.ZodObject)) throw new TypeError('no schema of settings');
  const properties = Object.fromEntries(childrenOf(schema).map(([name, child]) => [name, editorSchema(child)]));
  return { type: ['object', 'null'], properties, additionalProperties: false };
}

/** What is known of the setting at `path`; undefined when it is a group or nothing. */
export function settingAt(schema: Schema, path: SettingPath): SettingInfo | undefined {
  const leaf = schemaAt(schema, path);
  return leaf === undefined ? undefined : infos.get(leaf);
}

/** Whether a value is a secret, or a group in which there are some. */
export type SecretPlace = 'itself' | 'below' | 'none';

/** Whether there are secrets at or below `path`. */
export function secretPlace(schema: Schema, path: SettingPath): SecretPlace {
  if (settingAt(schema, path)?.secret === true) return 'itself';
  const found = schemaAt(schema, path);
  return found !== undefined && describeSettings(found).some(({ secret }) => secret) ? 'below' : 'none';
}

/** Names of the settings and groups right under `path`. */
export function keysAt(schema: Schema, path: SettingPath): string[] {
  const there = schemaAt(schema, path);
  const found = there instanceof z.ZodArray && single.has(there) ? schemaAt(there.element, []) : there;
  return found instanceof z.ZodObject ? childrenOf(found).map(([name]) => name) : [];
}

function schemaAt(schema: Schema, path: SettingPath): Schema | undefined {
  if (schema instanceof z.ZodPrefault || schema instanceof z.ZodOptional) return schemaAt(schema.unwrap(), path);
  const [head, ...rest] = path;
  if (head === undefined) return schema;
  if (schema instanceof z.ZodArray) {
    const isItself = typeof head !== 'number' && single.has(schema);
    return schemaAt(schema.element, isItself ? path : rest);
  }
  if (schema instanceof z.ZodRecord) return schemaAt(schema.valueType, rest);
  const child = schema instanceof z.ZodObject ? childrenOf(schema).find(([name]) => name === head)?.[1] : undefined;
  return child === undefined ? undefined : schemaAt(child, rest);
}

function childrenOf(schema: z.ZodObject): [string, Schema][] {
  return Object.entries(schema.shape as Record<string, Schema>);
}
