import { fieldName, text } from './kind.js';
import { map, setting, type Wrong } from './setting.js';

/** Fields of a request that say how it is sent and what of the file is asked for. */
const OWN_FIELDS = new Set([
  'connection',
  'content-length',
  'expect',
  'if-match',
  'if-range',
  'keep-alive',
  'range',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/** Fields that are added to requests to another server, by their names. @param help what for */
export function addedFields(help: string) {
  return map(setting(text('the value of a header field', /^[\t\x20-\x7e]{0,4096}$/), help, { secret: true }));
}

/** The rules of such fields. @param at their setting */
export function checkAddedFields(fields: object | undefined, at: readonly string[], wrong: Wrong): void {
  for (const name of Object.keys(fields ?? {})) {
    if (fieldName().parse(name) === undefined) wrong([...at, name], 'expected the name of a header field');
    else if (OWN_FIELDS.has(name.toLowerCase()))
      wrong([...at, name], 'expected a field that the edge does not set itself');
  }
}
