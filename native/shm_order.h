// The order in which the blocks of a stripe are evicted: least recently used first.
//
// Another policy is another class with these members, over the same links; `SlotHeader::lastUse` and `views` are there
// for it to use, and `Insert` in order of `lastUse` is how it is rebuilt. All calls are made with the stripe's lock
// held.
#ifndef MOOVEDGE_SHM_ORDER_H_
#define MOOVEDGE_SHM_ORDER_H_

#include <cstdint>

#include "shm_layout.h"

namespace shm {

/**
 * Members return false, or kNil, when the links make no sense: then the stripe must be rebuilt. Slots are numbered
 * within the stripe.
 */
class LruOrder {
 public:
  LruOrder(StripeHeader* stripe, SlotLinks* links, uint32_t slots) : stripe_(stripe), links_(links), slots_(slots) {}

  void Clear() {
    stripe_->coldest = kNil;
    stripe_->warmest = kNil;
    SetCount(0);
  }

  /** Adds a slot at the warm end. */
  bool Insert(uint32_t slot) {
    const uint32_t warmest = stripe_->warmest;
    if (warmest == kNil) {
      if (stripe_->coldest != kNil) return false;
      stripe_->coldest = slot;
    } else {
      if (warmest >= slots_ || links_[warmest].warmer != kNil) return false;
      links_[warmest].warmer = slot;
    }
    links_[slot].colder = warmest;
    links_[slot].warmer = kNil;
    stripe_->warmest = slot;
    SetCount(Count() + 1);
    return true;
  }

  /** Adds a slot at the cold end. */
  bool InsertColdest(uint32_t slot) {
    const uint32_t coldest = stripe_->coldest;
    if (coldest == kNil) {
      if (stripe_->warmest != kNil) return false;
      stripe_->warmest = slot;
    } else {
      if (coldest >= slots_ || links_[coldest].colder != kNil) return false;
      links_[coldest].colder = slot;
    }
    links_[slot].warmer = coldest;
    links_[slot].colder = kNil;
    stripe_->coldest = slot;
    SetCount(Count() + 1);
    return true;
  }

  /** Adds a slot that is to be evicted right after another. */
  bool InsertAfter(uint32_t slot, uint32_t colder) {
    const uint32_t warmer = links_[colder].warmer;
    if (warmer == kNil ? stripe_->warmest != colder : warmer >= slots_ || links_[warmer].colder != colder) return false;
    links_[slot].colder = colder;
    links_[slot].warmer = warmer;
    links_[colder].warmer = slot;
    (warmer == kNil ? stripe_->warmest : links_[warmer].colder) = slot;
    SetCount(Count() + 1);
    return true;
  }

  bool Remove(uint32_t slot) {
    const uint32_t colder = links_[slot].colder;
    const uint32_t warmer = links_[slot].warmer;
    // Both neighbours must agree before anything is changed.
    if (colder == kNil ? stripe_->coldest != slot : colder >= slots_ || links_[colder].warmer != slot) return false;
    if (warmer == kNil ? stripe_->warmest != slot : warmer >= slots_ || links_[warmer].colder != slot) return false;
    if (Count() == 0) return false;
    (colder == kNil ? stripe_->coldest : links_[colder].warmer) = warmer;
    (warmer == kNil ? stripe_->warmest : links_[warmer].colder) = colder;
    SetCount(Count() - 1);
    return true;
  }

  /** Notes a use of the slot. */
  bool Touch(uint32_t slot) {
    if (stripe_->warmest == slot) return true;
    return Remove(slot) && Insert(slot);
  }

  /** The slot to evict first; the others follow by `Next`. */
  uint32_t First() const { return stripe_->coldest < slots_ ? stripe_->coldest : kNil; }
  uint32_t Next(uint32_t slot) const { return links_[slot].warmer < slots_ ? links_[slot].warmer : kNil; }

  /** The slot that was used last; the others follow by `Before`. */
  uint32_t Last() const { return stripe_->warmest < slots_ ? stripe_->warmest : kNil; }
  uint32_t Before(uint32_t slot) const { return links_[slot].colder < slots_ ? links_[slot].colder : kNil; }

  uint32_t Count() const { return stripe_->ordered.load(std::memory_order_relaxed); }

 private:
  // Relaxed: written under the lock; others read it for statistics only.
  void SetCount(uint32_t count) { stripe_->ordered.store(count, std::memory_order_relaxed); }

  StripeHeader* stripe_;
  SlotLinks* links_;
  uint32_t slots_;
};

}  // namespace shm

#endif  // MOOVEDGE_SHM_ORDER_H_
