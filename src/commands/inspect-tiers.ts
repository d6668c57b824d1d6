import { EXIT, type ExitCode } from '../app/exit-code.js';
import { inspectDisk, inspectDiskObject } from '../cache/disk/disk-inspection.js';
import { type ConfigSources, loadSettings } from '../config/load.js';
import { memoryFile } from '../config/places.js';
import { bytes } from './figures.js';
import { type InspectionRow, inspectCache, rowsText } from './inspect-cache.js';
import { objectRows, readId } from './inspect-object.js';

/**
 * `moovedge inspect-cache`: tells what the tiers of an edge hold, which is found by its configuration as `serve` would
 * read it.
 * @param object id of an object version: tells of its blocks alone, each with why it would stay or go
 * @returns exit code
 * @throws EdgeError when the configuration is wrong
 */
export async function inspectTiers(
  sources: ConfigSources,
  write: (text: string) => void,
  object?: string,
): Promise<ExitCode> {
  const config = loadSettings(sources);
  const folder = config.cache.disk.path;
  if (object !== undefined) {
    const id = readId(object);
    const onDisk = folder === undefined ? new Set<number>() : await inspectDiskObject(folder, id);
    write(rowsText(`object ${object}`, objectRows(memoryFile(config), id, onDisk)));
    return EXIT.ok;
  }
  const disk = folder === undefined ? undefined : () => diskRows(folder);
  return inspectCache({ file: memoryFile(config), disk }, write);
}

async function diskRows(folder: string): Promise<InspectionRow[]> {
  const found = await inspectDisk(folder);
  if (found === undefined) return [['folder', `${folder} holds no disk tier`]];
  const { blocks, objects, fileBytes, usedBytes, written } = found;
  return [
    ['folder', folder],
    ['file', `${bytes(fileBytes)}, ${bytes(usedBytes)} in use`],
    ['blocks', `${blocks} of ${objects} objects`],
    ['written', `${written} blocks since it was made`],
  ];
}
