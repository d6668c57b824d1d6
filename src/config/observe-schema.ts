import { unknownField } from '../base/access-fields.js';
import { addedFields, checkAddedFields } from './added-fields.js';
import { choice, integer, type Kind, or, path, share, size, text, time, webUrl } from './kind.js';
import { type Draft, group, item, setting, type Values, type Wrong } from './setting.js';

/** `json`, `combined`, or a template. */
function accessFormat(): Kind<string> {
  return {
    expected: 'json, combined, or a template such as "{client} {status} {path}"',
    json: { type: 'string' },
    parse(value) {
      if (value === 'json' || value === 'combined') return value;
      const isTemplate = typeof value === 'string' && /^[^\0\r\n]{1,1000}$/.test(value) && /\{\w+\}/.test(value);
      return isTemplate && unknownField(value) === undefined ? value : undefined;
    },
    hint(value) {
      const unknown = unknownField(String(value));
      return unknown === undefined ? undefined : `there is no field {${unknown}}`;
    },
  };
}

/** What is logged, and where. */
export const logSchema = group({
  level: setting(
    choice('debug', 'info', 'warn', 'error'),
    'Least severity that is logged, on standard error.',
  ).prefault('info'),
  format: setting(
    choice('auto', 'json', 'text'),
    'Log lines for machines or for people; auto is text on a terminal.',
  ).prefault('auto'),
  access: setting(
    or('off', or('stdout', path('a file'))),
    'Where a line per answer goes; a file is opened again on SIGHUP and SIGUSR1.',
  ).prefault('off'),
  accessFormat: setting(
    accessFormat(),
    'Lines of the access log: JSON, the combined format of Apache and nginx, or a template (docs/operations/observe.md).',
  ).prefault('json'),
  accessSample: setting(
    share(0, 1),
    'Share of the answers that have a line; those with an error always have one.',
  ).prefault('100%'),
  accessRotate: group({
    size: setting(
      or('none', size('64KiB', '1TiB')),
      'The file of the access log is renamed, and a new one begun, when it has so many bytes.',
    ).prefault('none'),
    every: setting(
      or('none', time('1m', '8760h')),
      'Likewise whenever so much time is over, counted from midnight UTC.',
    ).prefault('none'),
    keep: setting(integer(0, 10000), 'Files of the access log that are kept beside the one at hand.').prefault(7),
  }),
});

/** Traces, by OpenTelemetry. */
export const tracingSchema = item({
  endpoint: setting(
    webUrl('the URL of a collector, such as http://127.0.0.1:4318/v1/traces'),
    'Collector that spans are sent to by OTLP over HTTP.',
  ),
  headers: addedFields('Fields of requests to the collector.'),
  sample: setting(
    share(0, 1),
    'Share of the requests that are followed; a traceparent from one of the trusted decides instead.',
  ).prefault('1%'),
  service: setting(text('a name', /^[\x20-\x7e]{1,100}$/), 'Name of this service in traces.').prefault('moovedge'),
});

/** Rules between settings of logs and traces. */
export function checkObserving(
  log: Draft<Values<typeof logSchema>>,
  tracing: Draft<Values<typeof tracingSchema>>,
  wrong: Wrong,
): void {
  const { size: bytes, every } = log?.accessRotate ?? {};
  const isFile = log?.access !== 'off' && log?.access !== 'stdout';
  for (const [name, value] of Object.entries({ size: bytes, every })) {
    if (value !== undefined && value !== 'none' && !isFile)
      wrong(['log', 'accessRotate', name], 'expected a file in log.access, which is what is renamed');
  }
  checkAddedFields(tracing?.headers, ['tracing', 'headers'], wrong);
}
