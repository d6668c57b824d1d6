import { EdgeError } from '../../base/errors.js';

/** @throws EdgeError `bad_config`, since only a start can change `setting` */
export function refuseChange(setting: string): never {
  throw new EdgeError(
    'bad_config',
    `${setting} can't be changed by a reload; have it taken over by a new start, which loses nothing: moovedge upgrade`,
  );
}
