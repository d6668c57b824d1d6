import { relative } from 'node:path';
import { inspect } from 'node:util';

/** Most characters of a file's own output that are shown when one of its tests fails. */
const OUTPUT_MAX = 20_000;
/** Most characters of a failure that are repeated at the end. */
const LINE_MAX = 200;

/**
 * Reporter of `npm test`: a line per file, every failure in full, node's summary, and in the end what has failed.
 * @param {AsyncIterable<{ type: string, data: any }>} events of node's test runner
 */
export default async function* report(events) {
  const files = new Map();
  const of = name => {
    const key = name === undefined ? 'tests' : relative(process.cwd(), name);
    if (!files.has(key)) files.set(key, { key, passed: 0, failed: 0, skipped: 0, seconds: 0, output: '', told: false });
    return files.get(key);
  };
  const failures = [];
  let current;
  for await (const { type, data } of events) {
    const file = data?.file === undefined ? undefined : of(data.file);
    if ((type === 'test:pass' || type === 'test:fail') && isTest(data)) {
      if (current !== undefined && current !== file) yield line(current);
      current = file;
      file.seconds += (data.details?.duration_ms ?? 0) / 1000;
      if (data.skip !== undefined) file.skipped++;
      else if (type === 'test:pass') file.passed++;
      else {
        file.failed++;
        failures.push(`  ${file.key} › ${data.name}: ${firstLine(data)}\n`);
        yield failure(file.key, data);
      }
    } else if ((type === 'test:stderr' || type === 'test:stdout') && file !== undefined) {
      file.output = (file.output + data.message).slice(-OUTPUT_MAX);
    } else if (
      type === 'test:diagnostic' &&
      data.nesting === 0 &&
      /^(tests|suites|pass|fail|cancelled|skipped|todo|duration_ms) /.test(data.message)
    ) {
      if (current !== undefined) yield line(current);
      current = undefined;
      yield `ℹ ${data.message}\n`;
    }
  }
  if (failures.length > 0) yield `\n✖ ${failures.length} failed:\n${failures.join('')}`;
}

/** False for suites and files, which only sum their tests up, but for suites whose hooks have failed. */
function isTest({ details, name, file, nesting }) {
  if (details?.error?.failureType === 'hookFailed') return true;
  if (details?.type === 'suite') return false;
  if (details?.error?.failureType === 'subtestsFailed') return false;
  return !(nesting === 0 && file !== undefined && file.endsWith(name) && details?.error === undefined);
}

function line({ key, passed, failed, skipped, seconds, output }) {
  const result = failed === 0 ? '✔' : '✖';
  const said = failed > 0 && output !== '' ? `${output.replace(/^/gm, '  | ')}\n` : '';
  const counts = [
    `${passed} passed`,
    ...(failed > 0 ? [`${failed} FAILED`] : []),
    ...(skipped > 0 ? [`${skipped} skipped`] : []),
  ];
  return `${result} ${key}: ${counts.join(', ')} (${seconds.toFixed(1)} s)\n${said}`;
}

/** What has failed, in short. */
function firstLine({ details }) {
  const error = details?.error?.cause ?? details?.error;
  return String(error?.message ?? error)
    .split('\n', 1)[0]
    .slice(0, LINE_MAX);
}

function failure(file, { name, details }) {
  const error = details?.error?.cause ?? details?.error;
  const text = typeof error === 'string' ? error : inspect(error, { depth: 6 });
  return `✖ ${file} › ${name}\n${text.replace(/^/gm, '    ')}\n`;
}
