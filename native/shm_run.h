// Bytes of an object that lie in several blocks, pinned together for one send.
#ifndef MOOVEDGE_SHM_RUN_H_
#define MOOVEDGE_SHM_RUN_H_

#include <sys/uio.h>

#include <cstddef>
#include <cstdint>

#include "shm_cache.h"

namespace shm {

/** Most bytes of a run. */
constexpr size_t kRunMax = size_t{kPins} * kBlockSize;

/** Blocks of an object, one after the other, each with a pin of its own while `count` is not 0. */
struct Run {
  Key first;
  uint32_t count;
  uint32_t slots[kPins];
  /** Where the bytes lie, of each block. */
  iovec places[kPins];
  size_t bytes;
  /** Readable bytes of the last block. */
  uint32_t readable;
};

/**
 * Pins what is at hand without a break from byte `from` of block `first` on, `most` bytes or less, but nothing behind a
 * block that is not whole. No pin may be taken. Returns the bytes of the run; 0, and nothing is pinned, when there are
 * none.
 * @param counted whether this is a new view of the first block
 */
size_t PinRun(Cache& cache, const Key& first, uint32_t from, size_t most, bool counted, Run* run);

/**
 * Ends the pins of a run, when there are any; blocks behind the first are counted as viewed when they are among the
 * first `taken` bytes.
 */
void UnpinRun(Cache& cache, size_t taken, Run* run);

}  // namespace shm

#endif  // MOOVEDGE_SHM_RUN_H_
