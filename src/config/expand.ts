import type { SettingPath } from './setting.js';

/** What is wrong with a text that refers to the environment. */
export type ReferenceMistake = (at: SettingPath, text: string) => void;

/**
 * Replaces each text that is `${NAME}` as a whole by the variable's value. Within a longer text it is not replaced, so
 * that a value never changes what stands around it; a text that looks as if it should be is a mistake rather than a
 * password `${PASSWORD}`.
 */
export function expand(
  value: unknown,
  env: Readonly<Record<string, string | undefined>>,
  mistake: ReferenceMistake,
  at: SettingPath = [],
): unknown {
  if (typeof value === 'string') return expandText(value, env, text => mistake(at, text));
  if (Array.isArray(value)) return value.map((child, index) => expand(child, env, mistake, [...at, index]));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, child]) => [key, expand(child, env, mistake, [...at, key])]),
  );
}

function expandText(
  text: string,
  env: Readonly<Record<string, string | undefined>>,
  mistake: (text: string) => void,
): string | undefined {
  const name = /^\$\{([A-Za-z_][A-Za-z0-9_]*)\}$/.exec(text)?.[1];
  if (name !== undefined) {
    if (env[name] === undefined) mistake(`the environment has no ${name}`);
    return env[name];
  }
  // biome-ignore lint/suspicious/noTemplateCurlyInString: the file's notation, not JavaScript's
  if (text.includes('${')) mistake('expected ${NAME} to be the whole value: it is not replaced within a text');
  return text;
}
