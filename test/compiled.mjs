// `node --import ./test/compiled.mjs FILE.ts` runs what compile.mjs has made of src/ and test/, for `npm test`: tsx
// asks in each of hundreds of processes what can be asked once. Modules keep the URLs of their sources.
import { register } from 'node:module';

register('./compiled-hooks.mjs', import.meta.url);
