// One stripe of the cache: its slots, the hash index over them, the free list and the order of eviction.
//
// The slot headers are the truth, the rest is derived from them. Every change is made to the header first and to the
// index after; when the index is found to make no sense, or its last writer died, `Repair` derives it again, which
// completes the change.
//
//   state  owner   member of
//   free   0       free list
//   used   0       hash index, order
//   used   filler  hash index
//   doomed filler  nothing
#ifndef MOOVEDGE_SHM_STRIPE_H_
#define MOOVEDGE_SHM_STRIPE_H_

#include <cstdint>

#include "shm_history.h"
#include "shm_layout.h"
#include "shm_order.h"
#include "shm_process.h"

namespace shm {

using Order = LruOrder;

/** All members are called with the stripe's lock held. Slots are numbered within the stripe. */
class Stripe {
 public:
  Stripe(uint8_t* base, const Geometry& geometry, uint64_t seed, uint32_t index, const ProcessTable& processes);

  StripeHeader& header() const { return *header_; }
  SlotHeader& slot(uint32_t slot) const { return slots_[slot]; }
  SlotFollow& follow(uint32_t slot) const { return follows_[slot]; }
  /** Number of the slot in the file. */
  uint32_t global(uint32_t slot) const { return first_ + slot; }
  uint32_t size() const { return size_; }
  Order& order() { return order_; }

  /** False when the counts of slots are damaged. */
  bool CountsAgree() const;
  /** Has the processor fetch what `Find` looks at first. May be called without the lock. */
  void Prefetch(uint64_t hash) const { __builtin_prefetch(&heads_[bucketOf(hash)]); }
  /** The slot that holds the block, or kNil. */
  uint32_t Find(const Key& key, uint64_t hash);
  /** True when identity and progress of a used slot pass their checks; `fill` is the decoded progress. */
  bool IsSound(uint32_t slot, FillWord* fill) const;

  /** True when the slot, which the order led to, holds a block that nobody fills or has pinned. */
  bool MayEvict(uint32_t slot) const;
  /**
   * Makes a slot free for reuse, evicting if `mayEvict`, and takes it out of the free list; kNil when all are pinned or
   * being filled.
   */
  uint32_t Allocate();
  /** Gives an allocated slot to a block that `owner` is about to fill. */
  void Place(uint32_t slot, const Key& key, uint64_t hash, uint32_t length, bool onDisk, uint64_t owner,
             uint32_t epoch);
  /** Gives a used slot without filler, or whose filler died, to a new one. */
  void TakeOver(uint32_t slot, uint64_t owner);
  /** Ends the fill of a used or doomed slot. */
  void EndFill(uint32_t slot);
  /** Notes a use; as a view of the block, if `counted`. */
  void Touch(uint32_t slot, bool counted);
  /** Puts a slot of the order before all that are not condemned. A use of the block takes it back. */
  void Condemn(uint32_t slot);
  /** Takes a used slot out of the cache: frees it, or dooms it while its filler lives. */
  void Discard(uint32_t slot);
  /** Discards a slot of the order and counts the eviction. */
  void Evict(uint32_t slot);

  /** Derives index, lists and counts from the slot headers, freeing those that make no sense. */
  void Rebuild();
  /** Rebuilds and counts it: the index made no sense, or its last writer died. */
  void Repair();

  uint64_t repairs() const { return header_->counters.repairs.load(std::memory_order_relaxed); }

  /** Adds one to a counter; others may be reading it. */
  static void Count(std::atomic<uint64_t>& counter) {
    // Not a read-modify-write: the lock makes this the only writer.
    counter.store(counter.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  }

 private:
  uint32_t bucketOf(uint64_t hash) const { return static_cast<uint32_t>(hash) & (buckets_ - 1); }
  bool FindOnce(const Key& key, uint64_t hash, uint32_t* slot) const;
  void InsertHash(uint32_t slot, uint64_t hash);
  bool RemoveHash(uint32_t slot);
  void PushFree(uint32_t slot);
  uint32_t PopFree();
  bool IsPinned(uint32_t slot) const { return processes_.IsPinned(global(slot)); }
  bool IsCondemned(uint32_t slot) const {
    return slot < size_ && slots_[slot].condemned.load(std::memory_order_relaxed) != 0;
  }
  /** Takes back that a slot was condemned; before it is taken out of the order. */
  void Reprieve(uint32_t slot);
  /** What a slot's header says after damage and death have been sorted out. */
  bool Normalise(uint32_t slot);
  uint64_t Tick();

  const ProcessTable& processes_;
  StripeHeader* header_;
  uint32_t* heads_;
  SlotLinks* links_;
  SlotHeader* slots_;
  SlotFollow* follows_;
  uint64_t seed_;
  uint32_t index_;
  uint32_t stripes_;
  uint32_t size_;
  uint32_t first_;
  uint32_t buckets_;
  History history_;
  Order order_;
};

/** Stripe of a key with this hash. */
inline uint32_t StripeOf(uint64_t hash, uint32_t stripes) { return static_cast<uint32_t>(hash >> 48) & (stripes - 1); }

}  // namespace shm

#endif  // MOOVEDGE_SHM_STRIPE_H_
