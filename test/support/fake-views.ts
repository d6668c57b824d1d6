import type { OpenObject } from '../../src/catalog/content.js';
import type { View } from '../../src/view/view.js';
import { Views } from '../../src/view/views.js';
import type { VirtualFile } from '../../src/virtual-file/virtual-file.js';

/** Views by which every object is answered with the file that `make` makes. */
export function everyFile(make: () => VirtualFile): Views {
  const answer: View['make'] = opened => ({ kind: 'file', opened: opened as OpenObject, file: make(), fields: [] });
  return new Views([{ parameters: [], find: ({ path }) => ({ path, hint: undefined, make: answer }) }]);
}
