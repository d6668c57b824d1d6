/** What a template of the access log may name: the fields of its JSON lines, and more that is known of an answer. */
export const ACCESS_FIELDS = [
  'time',
  'id',
  'client',
  'method',
  'host',
  'path',
  'query',
  'status',
  'bytes',
  'seconds',
  'firstByteSeconds',
  'outcome',
  'origin',
  'route',
  'userAgent',
  'referer',
  'error',
  'protocol',
  'range',
  'end',
  'localTime',
  'target',
] as const;

/** A field of the access log. */
export type AccessField = (typeof ACCESS_FIELDS)[number];

/** Finds fields in a template; what is split by it is text and, at odd places, names. */
export const PLACEHOLDER = /\{(\w*)\}/;

/** The first name in a template that stands for nothing; undefined when all is well. */
export function unknownField(template: string): string | undefined {
  return template
    .split(PLACEHOLDER)
    .filter((_, i) => i % 2 === 1)
    .find(name => !(ACCESS_FIELDS as readonly string[]).includes(name));
}
