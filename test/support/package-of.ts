import { FragmentedMp4 } from '../../src/media/fmp4/fragmented-mp4.js';
import { ProgressiveMp4 } from '../../src/media/mp4/progressive.js';
import { Packager, type PackagerOptions } from '../../src/media/packaging/packager.js';
import { Planner } from '../../src/media/seek/planner.js';

/** A packager of all formats, with this much room and time. */
export function makePackager(options: Partial<PackagerOptions> = {}): Packager {
  const planner = new Planner({
    formats: [new ProgressiveMp4({ seek: 'keyframe', maxMoov: 1 << 28 }), new FragmentedMp4()],
    indexMemory: 1 << 24,
    indexTime: 10_000,
    ...(options.store && { store: options.store }),
  });
  return new Packager({ planner, memory: 1 << 24, indexTime: 10_000, ...options });
}
