import { readFileSync } from 'node:fs';
import path from 'node:path';
import { EdgeError } from '../base/errors.js';
import { closest } from './closest.js';
import { checkOriginPlaces } from './origin-places.js';
import { type Config, schema } from './schema.js';
import { check, type Issue, keysAt, type SettingPath, settingAt } from './setting.js';
import { checkTlsFiles } from './tls-files.js';
import { YamlSource } from './yaml-source.js';

/** Most bytes of a configuration file. */
const FILE_MAX = 4 * 1024 * 1024;

/** A setting given on the command line. */
export interface FlagValue {
  /** As the user typed it, such as `--port`. */
  readonly flag: string;
  readonly path: readonly string[];
  readonly value: unknown;
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
 * Reads and checks a configuration.
 * @throws ConfigError with every mistake, as `file:line:column: key: expected …, found …` or
 *   `--flag: expected …, found …`
 */
export function loadConfig(sources: ConfigSources): Config {
  const { file, flags } = sources;
  const yaml = new YamlSource(file === undefined ? '' : readConfig(file));
  if (yaml.errors.length > 0) {
    throw new ConfigError(yaml.errors.map(error => `${file}:${error.line}:${error.column}: ${error.message}`));
  }
  const undefinedNames: Located[] = [];
  const raw = expand(yaml.value, sources.env, [], (at, name) => {
    const { line, column } = yaml.valuePosition(at);
    undefinedNames.push({
      line,
      column,
      text: `${file}:${line}:${column}: ${keyOf(at)}: the environment has no ${name}`,
    });
  });
  const merged = withFlags(raw, flags);
  const result = checked(merged, file);
  const located = 'issues' in result ? result.issues.map(issue => locate(issue, merged, yaml, sources)) : [];
  const mistakes = [...undefinedNames, ...located].sort((a, b) => a.line - b.line || a.column - b.column);
  if ('issues' in result || mistakes.length > 0) throw new ConfigError([...new Set(mistakes.map(({ text }) => text))]);
  return result.values;
}

function checked(merged: unknown, file: string | undefined): { values: Config } | { issues: Issue[] } {
  const result = check(schema, merged);
  if ('issues' in result) return result;
  const values = withAbsolutePaths(result.values, file === undefined ? '.' : path.dirname(file));
  const issues = [...checkTlsFiles(values), ...checkOriginPlaces(values)];
  return issues.length > 0 ? { issues } : { values };
}

function readConfig(file: string): string {
  try {
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

function locate(issue: Issue, merged: unknown, yaml: YamlSource, { file, flags }: ConfigSources): Located {
  const key = keyOf(issue.path);
  const flag = flags.find(each => each.path.every((step, index) => step === issue.path[index]));
  if (issue.expected === undefined) {
    const guess = closest(String(issue.path.at(-1)), keysAt(schema, issue.path.slice(0, -1)));
    const hint = guess === undefined ? '' : `; did you mean ${guess}?`;
    return place(yaml.keyPosition(issue.path), `unknown key ${key}${hint}`);
  }
  const secret = settingAt(schema, issue.path)?.secret === true;
  const found = show(valueAt(merged, issue.path), secret);
  const text = `${issue.expected}, found ${found}${issue.hint === undefined ? '' : `; ${issue.hint}`}`;
  if (flag !== undefined) return { line: 0, column: 0, text: `${flag.flag}: ${text}` };
  if (file === undefined) return { line: 0, column: 0, text: `${key}: ${text}` };
  return place(yaml.valuePosition(issue.path), key === '' ? text : `${key}: ${text}`);

  function place({ line, column }: { line: number; column: number }, what: string): Located {
    return { line, column, text: `${file}:${line}:${column}: ${what}` };
  }
}

function show(value: unknown, secret: boolean): string {
  if (value === undefined) return 'nothing';
  if (secret) return 'something else';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'a group of settings';
  const text = JSON.stringify(value);
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}

/** A path as people write it: `origins[0].name`. */
function keyOf(at: SettingPath): string {
  return at
    .map(step => (typeof step === 'number' ? `[${step}]` : `.${step}`))
    .join('')
    .replace(/^\./, '');
}

function valueAt(tree: unknown, at: SettingPath): unknown {
  return at.reduce<unknown>((value, step) => {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, step)) return undefined;
    return (value as Record<string | number, unknown>)[step];
  }, tree);
}

/** Replaces each text that is `${NAME}` as a whole. */
function expand(
  value: unknown,
  env: ConfigSources['env'],
  at: SettingPath,
  missing: (at: SettingPath, name: string) => void,
): unknown {
  if (typeof value === 'string') {
    const name = /^\$\{([A-Za-z_][A-Za-z0-9_]*)\}$/.exec(value)?.[1];
    if (name === undefined) return value;
    if (env[name] === undefined) missing(at, name);
    return env[name];
  }
  if (Array.isArray(value)) return value.map((child, index) => expand(child, env, [...at, index], missing));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, child]) => [key, expand(child, env, [...at, key], missing)]),
  );
}

function withFlags(raw: unknown, flags: readonly FlagValue[]): unknown {
  return flags.reduce((tree, { path: at, value }) => withValue(tree, at, value), raw);
}

function withValue(tree: unknown, [head, ...rest]: readonly string[], value: unknown): unknown {
  if (head === undefined) return value;
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
