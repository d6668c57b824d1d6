// How often blocks were viewed that are not in memory any more, so that admission to the disk tier may count further
// when they come back.
//
// A table of small words in the mapped file, in sets of a cache line each. It is written when a block is evicted and
// read when one gets a slot, never at a hit. No two words must agree, so nothing is locked; a word that was damaged
// makes one block seem viewed more or less often.
#ifndef MOOVEDGE_SHM_HISTORY_H_
#define MOOVEDGE_SHM_HISTORY_H_

#include <atomic>
#include <cstdint>

#include "shm_layout.h"

namespace shm {

/** Most views that are remembered of a block. */
constexpr uint32_t kMaxPastViews = 0xff;

class History {
 public:
  History(uint8_t* base, const Geometry& geometry)
      : sets_(reinterpret_cast<HistorySet*>(base + geometry.history)), mask_(geometry.historyCount - 1) {}

  /** Notes the views of a block that goes. @param hash of its key, as of HashKey */
  void Note(uint64_t hash, uint32_t views);
  /** Views that are remembered of a block, which are forgotten by that; 0 for one that is not known. */
  uint32_t Take(uint64_t hash);

 private:
  HistorySet& SetOf(uint64_t hash) const { return sets_[static_cast<uint32_t>(hash >> 8) & mask_]; }

  HistorySet* sets_;
  uint32_t mask_;
};

}  // namespace shm

#endif  // MOOVEDGE_SHM_HISTORY_H_
