import { loadConfig } from '../config/load.js';

/**
 * Checks a configuration file and says that it is good.
 * @throws ConfigError with every mistake
 */
export function checkConfig(file: string): void {
  loadConfig({ file, flags: [], env: process.env });
  process.stdout.write(`${file}: good\n`);
}
