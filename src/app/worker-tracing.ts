import { EdgeError } from '../base/errors.js';
import type { Config } from '../config/schema.js';
import type { OtlpTracing } from '../observe/otlp-tracing.js';
import { version } from './package-files.js';

/**
 * Collects traces where the configuration says so; what is off is not loaded.
 * @param instance tells processes apart
 * @throws EdgeError (rejects with) `bad_config` where the packages for it are not installed
 */
export async function workerTracing({ tracing }: Config, instance: string): Promise<OtlpTracing | undefined> {
  if (tracing === undefined) return undefined;
  const module = await import('../observe/otlp-tracing.js').catch(cause => {
    if ((cause as NodeJS.ErrnoException).code !== 'ERR_MODULE_NOT_FOUND') throw cause;
    const expected =
      'expected the optional packages of OpenTelemetry for tracing.endpoint: npm install --include=optional';
    throw new EdgeError('bad_config', expected, { cause });
  });
  return new module.OtlpTracing({ ...tracing, version: version(), instance });
}
