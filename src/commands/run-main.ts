import { EXIT, exitCodeOf } from '../app/exit-code.js';
import { EdgeError } from '../base/errors.js';
import { ConfigError } from '../config/load.js';

/**
 * Runs a command. What goes wrong is told in a line on standard error, or a line per mistake of a configuration, and by
 * the exit code.
 */
export async function runMain(command: () => Promise<unknown>): Promise<void> {
  try {
    await command();
  } catch (error) {
    if (error instanceof EdgeError) {
      process.stderr.write(`${error instanceof ConfigError ? '' : 'moovedge: '}${error.message}\n`);
      process.exit(exitCodeOf(error.code));
    }
    process.stderr.write(`moovedge: a defect: ${error instanceof Error ? error.stack : error}\n`);
    process.exit(EXIT.defect);
  }
}
