// Pieces of an object put one after the other, out of its blocks in the memory tier.
#ifndef MOOVEDGE_SHM_GATHER_H_
#define MOOVEDGE_SHM_GATHER_H_

#include <cstddef>
#include <cstdint>

#include "pieces.h"
#include "shm_cache.h"

namespace shm {

/** What was put together. */
struct Gathered {
  size_t bytes;
  /** Readable bytes of the last block that gave some; 0 when none did. */
  uint32_t readable;
};

/**
 * Puts bytes of pieces of object `id` from byte `at` of them on into `target`: as many as are at hand without a break,
 * and as `room` allows. Pins one block after the other; none is pinned before and after.
 * @param reached the block in which the reader is already: being read on, it is not counted as a new view
 */
Gathered Gather(Cache& cache, const uint32_t (&id)[4], const Pieces& pieces, double at, uint32_t reached,
                uint8_t* target, size_t room);

}  // namespace shm

#endif  // MOOVEDGE_SHM_GATHER_H_
