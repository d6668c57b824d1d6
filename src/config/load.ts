import { readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { EdgeError } from '../base/errors.js';
import { shownUrl } from '../base/origin-url.js';
import { checkKeyFiles } from './access-schema.js';
import { closest } from './closest.js';
import { expand } from './expand.js';
import { checkIdle } from './idle.js';
import { checkMachine } from './machine.js';
import { checkOriginPlaces } from './origin-places.js';
import { checkErrorPages } from './route-schema.js';
import { type Config, schema } from './schema.js';
import {
  check,
  type Issue,
  keysAt,
  type SecretPlace,
  type SettingPath,
  secretPlace,
  settingAt,
  touches,
} from './setting.js';
import { checkTlsFiles } from './tls-files.js';
import { YamlSource } from './yaml-source.js';

/** Most bytes of a configuration file. */
const FILE_MAX = 4 * 1024 * 1024;
/** Most mistakes that are told. */
const MISTAKES_MAX = 200;

/** A setting given on the command line. */
export interface FlagValue {
  /** As the user typed it, such as `--port`. */
  readonly flag: string;
  readonly path: readonly string[];
  readonly value: unknown;
  /** The value is one more item of the list at the path. */
  readonly isMore?: boolean;
}

/** Where a configuration comes from. */
export interface ConfigSources {
  /** YAML file; undefined when there is none. */
  readonly file: string | undefined;
  /** Overrule the file. */
  readonly flags: readonly FlagValue[];
  /** What `${NAME}` in the file stands for. */
  readonly env: Readonly<Record<string, string | undefined>>;
}

/**
 * A configuration that can't be used; `message` has a line for each mistake, in order, each beginning with where it is.
 */
export class ConfigError extends EdgeError {
  constructor(readonly mistakes: readonly string[]) {
    super('bad_config', mistakes.join('\n'));
  }
}

/**
 * Reads and checks a configuration, and whether this machine can do what it says.
 * @throws ConfigError with every mistake, as `file:line:column: key: expected …, found …` or `--flag: expected …, found
 *   …`
 */
export function loadConfig(sources: ConfigSources): Config {
  return load(sources, config => [
    ...checkTlsFiles(config),
    ...checkKeyFiles(config),
    ...checkErrorPages(config),
    ...checkOriginPlaces(config),
    ...checkMachine(config),
  ]);
}

/**
 * Reads a configuration that somebody else runs: what it says of this machine is not checked.
 * @throws ConfigError, as `loadConfig`
 */
export function loadSettings(sources: ConfigSources): Config {
  return load(sources, () => []);
}

function load(sources: ConfigSources, checkPlaces: (config: Config) => Issue[]): Config {
  const { file, flags } = sources;
  const yaml = new YamlSource(file === undefined ? '' : readConfig(file));
  if (yaml.errors.length > 0) {
    throw new ConfigError(bounded(yaml.errors.map(error => `${file}:${error.line}:${error.column}: ${error.message}`)));
  }
  const references: (Located & { readonly at: SettingPath })[] = [];
  const raw = expand(yaml.value, sources.env, (at, text) => {
    const { line, column } = yaml.valuePosition(at);
    if (references.length < MISTAKES_MAX)
      references.push({ at, line, column, text: `${file}:${line}:${column}: ${keyOf(at)}: ${text}` });
  });
  const merged = withFlags(raw, flags);
  const result = checked(merged, file, flags, checkPlaces);
  const shown = withFlags(yaml.value, flags);
  const issues = 'issues' in result ? result.issues.slice(0, MISTAKES_MAX) : [];
  const telling = issues.filter(issue => !references.some(({ at }) => touches(at, issue.path)));
  const located = telling.map(issue => locate(issue, shown, yaml, sources));
  const mistakes = [...references, ...located].sort((a, b) => a.line - b.line || a.column - b.column);
  if ('issues' in result || mistakes.length > 0) {
    throw new ConfigError(bounded([...new Set(mistakes.map(({ text }) => text))]));
  }
  return result.values;
}

/** As many mistakes as somebody reads. */
function bounded(mistakes: readonly string[]): readonly string[] {
  if (mistakes.length < MISTAKES_MAX) return mistakes;
  return [...mistakes.slice(0, MISTAKES_MAX), `more than ${MISTAKES_MAX} mistakes: the rest is left out`];
}

function checked(
  merged: unknown,
  file: string | undefined,
  flags: readonly FlagValue[],
  checkPlaces: (config: Config) => Issue[],
): { values: Config } | { issues: Issue[] } {
  const result = check(schema, merged);
  const idle = checkIdle(
    merged,
    flags.map(flag => flag.path),
  );
  if ('issues' in result) return { issues: [...result.issues, ...idle] };
  const values = withAbsolutePaths(result.values, file === undefined ? '.' : path.dirname(file));
  const issues = [...idle, ...checkPlaces(values)];
  return issues.length > 0 ? { issues } : { values };
}

function readConfig(file: string): string {
  try {
    const status = statSync(file);
    if (!status.isFile() && !status.isFIFO()) throw new Error('it is no file');
    const text = readFileSync(file);
    if (text.length > FILE_MAX) throw new Error(`expected at most ${FILE_MAX} bytes, found ${text.length}`);
    return new TextDecoder('utf-8', { fatal: true }).decode(text);
  } catch (error) {
    throw new ConfigError([`${file}: can't be read: ${(error as Error).message}`]);
  }
}

/** A mistake and its place; flags stand before the file. */
interface Located {
  readonly line: number;
  readonly column: number;
  readonly text: string;
}

/** @param shown the settings as they were written, before anything was taken from the environment */
function locate(found: Issue, shown: unknown, yaml: YamlSource, { file, flags }: ConfigSources): Located {
  const flag = flags.find(({ path: at, isMore }) => {
    const items = isMore === true ? valueAt(shown, at) : undefined;
    const whole = Array.isArray(items) ? [...at, items.length - 1] : at;
    return whole.every((step, index) => step === found.path[index]);
  });
  const issue = { ...found, path: flag === undefined ? inFile(found.path, yaml.value) : found.path };
  const key = keyOf(issue.path);
  if (issue.expected === undefined) {
    const group = issue.path.slice(0, -1);
    const guess = closest(String(issue.path.at(-1)), keysAt(schema, group));
    const hint = guess === undefined ? '' : `; did you mean ${guess}?`;
    // What stands in the place of a key beside secrets may be one of them.
    const isShown = guess !== undefined || secretPlace(schema, group) === 'none' || group.length === 0;
    return place(yaml.keyPosition(issue.path), `unknown key ${isShown ? key : `in ${keyOf(group)}`}${hint}`);
  }
  const value = show(valueAt(shown, found.path), secretPlace(schema, issue.path));
  const text = `${issue.expected}, found ${value}${issue.hint === undefined ? '' : `; ${issue.hint}`}`;
  if (flag !== undefined) return { line: 0, column: 0, text: `${flag.flag}: ${text}` };
  if (file === undefined) return { line: 0, column: 0, text: `${key}: ${text}` };
  return place(yaml.valuePosition(issue.path), key === '' ? text : `${key}: ${text}`);

  function place({ line, column }: { line: number; column: number }, what: string): Located {
    return { line, column, text: `${file}:${line}:${column}: ${what}` };
  }
}

/** A path in the file: a flag may have made a list of what stands there by itself. */
function inFile(at: SettingPath, written: unknown): SettingPath {
  const [name = '', index, ...rest] = at;
  const isItself = typeof index === 'number' && isSingle(valueAt(written, [name]));
  return isItself && settingAt(schema, [name, ...rest]) !== undefined ? [name, ...rest] : at;
}

function isSingle(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function show(value: unknown, secret: SecretPlace): string {
  if (value === undefined) return 'nothing';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'a group of settings';
  // Within a group that may hold secrets, whatever stands in its place may be one; a number there is a slip.
  if (secret === 'itself' || (secret === 'below' && typeof value === 'string')) return 'something else';
  const text = JSON.stringify(typeof value === 'string' ? shownUrl(value) : value) ?? String(value);
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}

/** A path as people write it: `origins[0].name`. */
function keyOf(at: SettingPath): string {
  return at
    .map(step =>
      typeof step === 'number' ? `[${step}]` : /^[\w-]{1,80}$/.test(step) ? `.${step}` : `.${quoted(step)}`,
    )
    .join('')
    .replace(/^\./, '');
}

/** A key that no setting has, on one line. */
function quoted(step: string): string {
  return step.length > 80 ? `${JSON.stringify(step.slice(0, 80))}…` : JSON.stringify(step);
}

function valueAt(tree: unknown, at: SettingPath): unknown {
  return at.reduce<unknown>((value, step) => {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, step)) return undefined;
    return (value as Record<string | number, unknown>)[step];
  }, tree);
}

function withFlags(raw: unknown, flags: readonly FlagValue[]): unknown {
  return flags.reduce(
    (tree, { path: at, value, isMore }) => (isMore === true ? withMore(tree, at, value) : withValue(tree, at, value)),
    raw,
  );
}

/** Adds an item to a list at the top of the tree, or to what stands there by itself; at the first one's host. */
function withMore(tree: unknown, [name = '']: readonly string[], item: unknown): unknown {
  const before = valueAt(tree, [name]) ?? {};
  const items: readonly unknown[] = Array.isArray(before) ? before : [before];
  const host = valueAt(items[0], ['host']);
  return withValue(tree, [name], [...items, host === undefined ? item : { host, ...(item as object) }]);
}

function withValue(tree: unknown, [head, ...rest]: readonly string[], value: unknown): unknown {
  if (head === undefined) return value;
  // Of a list the first item is meant.
  if (Array.isArray(tree)) return [withValue(tree[0], [head, ...rest], value), ...tree.slice(1)];
  const object =
    typeof tree === 'object' && tree !== null && !Array.isArray(tree) ? (tree as Record<string, unknown>) : {};
  return { ...object, [head]: withValue(object[head], rest, value) };
}

function withAbsolutePaths(config: Config, folder: string): Config {
  return walk(config, []) as Config;

  function walk(value: unknown, at: SettingPath): unknown {
    if (Array.isArray(value)) return value.map((child, index) => walk(child, [...at, index]));
    if (typeof value === 'object' && value !== null) {
      return Object.fromEntries(Object.entries(value).map(([key, child]) => [key, walk(child, [...at, key])]));
    }
    const isPath = typeof value === 'string' && settingAt(schema, at)?.path === true;
    const keeps = typeof value === 'string' && (/^[a-z0-9]+:\/\//i.test(value) || RESERVED.has(value));
    return isPath && !keeps ? path.resolve(folder, value as string) : value;
  }
}

/** Words that stand where a path may stand and are none; a file of that name is written `./auto`. */
const RESERVED = new Set(['auto', 'off', 'stdout']);
