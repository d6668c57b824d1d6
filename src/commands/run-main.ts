import { EdgeError } from '../base/errors.js';
import { ConfigError } from '../config/load.js';

/**
 * Runs a command. What goes wrong is told in a line on standard error, or a line per mistake of a configuration, with
 * exit code 1.
 */
export async function runMain(command: () => Promise<unknown>): Promise<void> {
  try {
    await command();
  } catch (error) {
    if (!(error instanceof EdgeError)) throw error;
    process.stderr.write(`${error instanceof ConfigError ? '' : 'moovedge: '}${error.message}\n`);
    process.exit(1);
  }
}
