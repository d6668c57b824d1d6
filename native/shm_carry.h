// Takes blocks along from a cache file of another size, and what is known of the demand for them.
#ifndef MOOVEDGE_SHM_CARRY_H_
#define MOOVEDGE_SHM_CARRY_H_

#include <cstdint>

#include "shm_layout.h"

namespace shm {

/**
 * Copies the blocks of an open cache file of the geometry `source`, which others may go on using, into the slots of a
 * new file that nobody else uses yet and whose slots are all free: as many as fit, those used last. Each is verified.
 * Only slot headers and data are written: the index is to be derived from them, as at the first opening of any file.
 * Views of blocks that have gone and the table of demand come along as far as there is room.
 * @return how many there are
 */
uint32_t CarryOver(int from, const Geometry& source, uint8_t* base, const Geometry& target, uint64_t seed);

}  // namespace shm

#endif  // MOOVEDGE_SHM_CARRY_H_
