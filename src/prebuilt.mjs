// The addon as a package brings it. Asked before anything is installed: for any Node.js that knows modules.
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';

const ROOT = new URL('../', import.meta.url);

/** Path of the addon that a package brings for a machine like this one, from the root of the package. */
export const PREBUILT = `native/prebuilt/${process.platform}-${process.arch}/moovedge.node`;

/** Whether this is a package, and not a clone of the repository, with an addon that runs here. */
export function bringsAddon() {
  if (existsSync(new URL('test/packages.mjs', ROOT))) return false;
  try {
    createRequire(import.meta.url)(`../${PREBUILT}`);
    return true;
  } catch {
    return false;
  }
}
