// The edge as built, but for the space of its memory tier, which is not reserved: so a cache may be larger than the
// memory of the machine, as long as most of it is never touched. Takes the command line of moovedge.
import { native } from '../../dist/base/native.js';

const open = native.openMemoryTier;
native.openMemoryTier = (options, rung) => open({ ...options, reserve: false }, rung);
await import('../../dist/cli.js');
