// Blocks of a stripe that were used lately, for whoever evicts by demand to judge once their readers have gone on.
//
// What was read once by somebody whom nobody follows is known at once, and need not wait until chance draws it.
#ifndef MOOVEDGE_SHM_RECENT_H_
#define MOOVEDGE_SHM_RECENT_H_

#include <cstdint>
#include <vector>

#include "shm_layout.h"

namespace shm {

/** A queue of bounded length: what finds no room in it is left to chance. Of one process; nothing is shared. */
class Recent {
 public:
  struct Block {
    Key key;
    uint32_t slot;
    /** When it came here, in seconds. */
    double at;
  };

  void Add(const Block& block) {
    if (count_ == kMost) return;
    if (blocks_.empty()) blocks_.resize(kMost);
    blocks_[(first_ + count_++) % kMost] = block;
  }
  /** The one that has been here for longest, if that is long enough. */
  bool Take(double now, Block* block) {
    if (count_ == 0) return false;
    const Block& oldest = blocks_[first_];
    // A clock that was set back must not hold it up.
    if (now >= oldest.at && now < oldest.at + kSettled) return false;
    *block = oldest;
    first_ = (first_ + 1) % kMost;
    count_--;
    return true;
  }

  /** Value of the stripe's clock at the last use that was looked at. */
  uint64_t lookedUpTo = 0;

 private:
  static constexpr uint32_t kMost = 256;
  /** Seconds in which a reader that is not paced has gone on. */
  static constexpr double kSettled = 1;

  std::vector<Block> blocks_;
  uint32_t first_ = 0;
  uint32_t count_ = 0;
};

}  // namespace shm

#endif  // MOOVEDGE_SHM_RECENT_H_
