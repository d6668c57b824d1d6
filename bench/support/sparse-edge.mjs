// The edge as built, but for the space of its memory tier, which is not reserved and may be larger than the memory of
// the machine, as long as most of it is never touched. Takes the command line of moovedge.
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import os from 'node:os';

const { statfsSync } = fs;
os.totalmem = () => 2 ** 40;
fs.statfsSync = (path, options) => Object.assign(statfsSync(path, options), { blocks: 2 ** 40 });
syncBuiltinESMExports();

const { native } = await import('../../dist/base/native.js');
const open = native.openMemoryTier;
native.openMemoryTier = (options, rung) => open({ ...options, reserve: false }, rung);
await import('../../dist/cli.js');
