#include "shm_stripe.h"

#include <algorithm>
#include <vector>

#include "shm_system.h"

namespace shm {

namespace {

/** How far the clock of a stripe may run ahead of the time of day, in microseconds. */
constexpr uint64_t kClockSlackUs = 60'000'000;
/** Blocks that can be pinned at once. */
constexpr uint32_t kMaxPinned = kProcesses * kPins;

uint32_t TagOf(uint64_t hash) { return static_cast<uint32_t>(hash >> 16); }

template <typename T>
T* At(uint8_t* base, uint64_t offset, uint64_t index) {
  return reinterpret_cast<T*>(base + offset) + index;
}

}  // namespace

Stripe::Stripe(uint8_t* base, const Geometry& geometry, uint64_t seed, uint32_t index, const ProcessTable& processes)
    : processes_(processes),
      header_(At<StripeHeader>(base, geometry.stripes, index)),
      heads_(At<uint32_t>(base, geometry.buckets, uint64_t{index} * geometry.bucketsPerStripe)),
      links_(At<SlotLinks>(base, geometry.links, uint64_t{index} * geometry.slotsPerStripe)),
      slots_(At<SlotHeader>(base, geometry.slots, uint64_t{index} * geometry.slotsPerStripe)),
      follows_(At<SlotFollow>(base, geometry.follows, uint64_t{index} * geometry.slotsPerStripe)),
      seed_(seed),
      index_(index),
      stripes_(geometry.stripeCount),
      size_(geometry.slotsPerStripe),
      first_(index * geometry.slotsPerStripe),
      buckets_(geometry.bucketsPerStripe),
      history_(base, geometry),
      order_(header_, links_, geometry.slotsPerStripe) {}

uint64_t Stripe::Tick() {
  header_->clock = std::max(header_->clock + 1, RealtimeUs());
  return header_->clock;
}

bool Stripe::CountsAgree() const {
  const auto order = std::memory_order_relaxed;
  return header_->freeCount.load(order) + header_->ordered.load(order) + header_->filling.load(order) == size_;
}

bool Stripe::FindOnce(const Key& key, uint64_t hash, uint32_t* found) const {
  const uint32_t tag = TagOf(hash);
  uint32_t slot = heads_[bucketOf(hash)];
  *found = kNil;
  for (uint32_t steps = 0; slot != kNil; steps++) {
    // A chain that leaves the stripe or is longer than all slots is damaged.
    if (slot >= size_ || steps >= size_) return false;
    if (links_[slot].tag == tag && slots_[slot].key == key) {
      if (slots_[slot].state.load(std::memory_order_relaxed) != kUsed) return false;
      *found = slot;
      return true;
    }
    slot = links_[slot].chain;
  }
  return true;
}

uint32_t Stripe::Find(const Key& key, uint64_t hash) {
  uint32_t slot;
  if (FindOnce(key, hash, &slot)) return slot;
  Repair();
  return FindOnce(key, hash, &slot) ? slot : kNil;
}

bool Stripe::IsSound(uint32_t slot, FillWord* fill) const {
  const SlotHeader& s = slots_[slot];
  // Acquire: the bytes up to the watermark are there before it is seen.
  return s.length >= 1 && s.length <= kBlockSize && IdentityCrc(s.key, s.length, global(slot)) == s.identityCrc &&
         FillWord::Decode(s.fill.load(std::memory_order_acquire), global(slot), fill) && fill->watermark <= s.length;
}

void Stripe::InsertHash(uint32_t slot, uint64_t hash) {
  uint32_t& head = heads_[bucketOf(hash)];
  links_[slot].tag = TagOf(hash);
  links_[slot].chain = head;
  head = slot;
}

bool Stripe::RemoveHash(uint32_t slot) {
  uint32_t* link = &heads_[bucketOf(HashKey(slots_[slot].key, seed_))];
  for (uint32_t steps = 0; *link != slot; steps++) {
    if (*link >= size_ || steps >= size_) return false;
    link = &links_[*link].chain;
  }
  *link = links_[slot].chain;
  return true;
}

void Stripe::PushFree(uint32_t slot) {
  links_[slot].colder = header_->freeHead;
  header_->freeHead = slot;
  header_->freeCount.store(header_->freeCount.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
}

uint32_t Stripe::PopFree() {
  for (int attempt = 0; attempt < 2; attempt++) {
    const uint32_t count = header_->freeCount.load(std::memory_order_relaxed);
    uint32_t* link = &header_->freeHead;
    // A freed slot may still be pinned: as many may be as there are pins.
    uint32_t pinned = 0;
    while (pinned < count) {
      const uint32_t slot = *link;
      if (slot >= size_ || slots_[slot].state.load(std::memory_order_relaxed) != kFree) break;
      if (!IsPinned(slot)) {
        *link = links_[slot].colder;
        header_->freeCount.store(count - 1, std::memory_order_relaxed);
        return slot;
      }
      link = &links_[slot].colder;
      pinned++;
    }
    if (pinned == count && *link == kNil) return kNil;
    Repair();
  }
  return kNil;
}

bool Stripe::MayEvict(uint32_t slot) const {
  const SlotHeader& s = slots_[slot];
  return s.state.load(std::memory_order_relaxed) == kUsed && s.owner.load(std::memory_order_relaxed) == 0 &&
         !IsPinned(slot);
}

uint32_t Stripe::Allocate() {
  const uint32_t free = PopFree();
  if (free != kNil) return free;
  for (int attempt = 0; attempt < 2; attempt++) {
    uint32_t slot = order_.First();
    uint32_t steps = 0;
    for (; slot != kNil && steps <= kMaxPinned; steps++, slot = order_.Next(slot)) {
      if (slots_[slot].state.load(std::memory_order_relaxed) != kUsed ||
          slots_[slot].owner.load(std::memory_order_relaxed) != 0)
        break;
      if (IsPinned(slot)) continue;
      Evict(slot);
      return PopFree();
    }
    // The order ended before its count was reached, or led to a slot that is not of it.
    if (slot == kNil && steps >= order_.Count()) return kNil;
    if (slot != kNil && steps > kMaxPinned) return kNil;
    Repair();
  }
  return kNil;
}

void Stripe::Place(uint32_t slot, const Key& key, uint64_t hash, uint32_t length, bool onDisk, uint64_t owner,
                   uint32_t epoch) {
  SlotHeader& s = slots_[slot];
  s.key = key;
  s.length = length;
  s.identityCrc = IdentityCrc(key, length, global(slot));
  s.fill.store(FillWord{0, 0}.Encode(global(slot)), std::memory_order_relaxed);
  s.lastUse.store(Tick(), std::memory_order_relaxed);
  // What comes from disk comes since somebody views it.
  s.views.store(static_cast<uint16_t>(history_.Take(hash) + (onDisk ? 1 : 0)), std::memory_order_relaxed);
  s.onDisk.store(onDisk, std::memory_order_relaxed);
  s.condemned.store(0, std::memory_order_relaxed);
  s.verifiedEpoch.store(epoch, std::memory_order_relaxed);
  follows_[slot].waiters.store(0, std::memory_order_relaxed);
  follows_[slot].progress.store(MonotonicMs(), std::memory_order_relaxed);
  s.owner.store(owner, std::memory_order_relaxed);
  // Release: a slot that says it is used has all of the above, even when its writer dies after this store.
  s.state.store(kUsed, std::memory_order_release);
  InsertHash(slot, hash);
  header_->filling.store(header_->filling.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
}

void Stripe::TakeOver(uint32_t slot, uint64_t owner) {
  SlotHeader& s = slots_[slot];
  const bool ordered = s.owner.load(std::memory_order_relaxed) == 0;
  follows_[slot].progress.store(MonotonicMs(), std::memory_order_relaxed);
  s.owner.store(owner, std::memory_order_release);
  Reprieve(slot);
  if (!ordered) return;
  header_->filling.store(header_->filling.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  if (!order_.Remove(slot)) Repair();
}

void Stripe::EndFill(uint32_t slot) {
  SlotHeader& s = slots_[slot];
  const bool doomed = s.state.load(std::memory_order_relaxed) != kUsed;
  s.lastUse.store(Tick(), std::memory_order_relaxed);
  if (doomed) s.state.store(kFree, std::memory_order_release);
  s.owner.store(0, std::memory_order_release);
  const uint32_t filling = header_->filling.load(std::memory_order_relaxed);
  if (filling == 0) return Repair();
  header_->filling.store(filling - 1, std::memory_order_relaxed);
  if (doomed) return PushFree(slot);
  if (!order_.Insert(slot)) Repair();
}

void Stripe::Touch(uint32_t slot, bool counted) {
  SlotHeader& s = slots_[slot];
  s.lastUse.store(Tick(), std::memory_order_relaxed);
  const uint16_t views = s.views.load(std::memory_order_relaxed);
  if (counted && views < kMaxViews) s.views.store(static_cast<uint16_t>(views + 1), std::memory_order_relaxed);
  Reprieve(slot);
  if (s.owner.load(std::memory_order_relaxed) == 0 && !order_.Touch(slot)) Repair();
}

void Stripe::Condemn(uint32_t slot) {
  const uint32_t last = header_->lastCondemned;
  if (!order_.Remove(slot)) return Repair();
  if (!(IsCondemned(last) ? order_.InsertAfter(slot, last) : order_.InsertColdest(slot))) return Repair();
  header_->lastCondemned = slot;
  slots_[slot].condemned.store(1, std::memory_order_relaxed);
  header_->condemned.store(header_->condemned.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
}

void Stripe::Reprieve(uint32_t slot) {
  if (!IsCondemned(slot)) return;
  if (header_->lastCondemned == slot) {
    const uint32_t colder = links_[slot].colder;
    header_->lastCondemned = IsCondemned(colder) ? colder : kNil;
  }
  slots_[slot].condemned.store(0, std::memory_order_relaxed);
  const uint32_t condemned = header_->condemned.load(std::memory_order_relaxed);
  // Damage: it can't be less than one.
  if (condemned > 0) header_->condemned.store(condemned - 1, std::memory_order_relaxed);
}

void Stripe::Discard(uint32_t slot) {
  SlotHeader& s = slots_[slot];
  Reprieve(slot);
  const bool filling = s.owner.load(std::memory_order_relaxed) != 0;
  s.state.store(filling ? kDoomed : kFree, std::memory_order_release);
  const bool sound = RemoveHash(slot) && (filling || order_.Remove(slot));
  if (!sound) return Repair();
  if (!filling) PushFree(slot);
}

void Stripe::Evict(uint32_t slot) {
  const SlotHeader& s = slots_[slot];
  history_.Note(HashKey(s.key, seed_), s.views.load(std::memory_order_relaxed));
  Count(s.onDisk.load(std::memory_order_relaxed) != 0 ? header_->counters.evictedToDisk : header_->counters.dropped);
  Discard(slot);
}

bool Stripe::Normalise(uint32_t slot) {
  SlotHeader& s = slots_[slot];
  const uint32_t state = s.state.load(std::memory_order_relaxed);
  uint64_t owner = s.owner.load(std::memory_order_relaxed);
  if (owner != 0 && !processes_.IsAlive(ProcessId::Unpack(static_cast<uint32_t>(owner)))) {
    owner = 0;
    s.owner.store(0, std::memory_order_relaxed);
  }
  FillWord fill;
  bool keep = state == kUsed && IsSound(slot, &fill) && StripeOf(HashKey(s.key, seed_), stripes_) == index_;
  // A block of which no byte has come is not worth keeping.
  if (keep && owner == 0 && fill.watermark == 0) keep = false;
  if (!keep) s.state.store(owner != 0 ? kDoomed : kFree, std::memory_order_relaxed);
  return keep;
}

void Stripe::Repair() {
  Count(header_->counters.repairs);
  Rebuild();
}

void Stripe::Rebuild() {
  std::fill(heads_, heads_ + buckets_, kNil);
  header_->freeHead = kNil;
  header_->freeCount.store(0, std::memory_order_relaxed);
  header_->filling.store(0, std::memory_order_relaxed);
  header_->condemned.store(0, std::memory_order_relaxed);
  header_->lastCondemned = kNil;
  order_.Clear();
  // A time well ahead is damage, or the clock was set back; the block must not count as the warmest for ever. A little
  // ahead is as usual: see Tick.
  const uint64_t now = RealtimeUs();
  const uint64_t latest = now + kClockSlackUs;
  header_->clock = 0;
  struct Use {
    uint64_t time;
    uint32_t slot;
  };
  std::vector<Use> uses;
  uint32_t filling = 0;
  for (uint32_t slot = size_; slot-- > 0;) {
    SlotHeader& s = slots_[slot];
    s.condemned.store(0, std::memory_order_relaxed);
    bool keep = Normalise(slot);
    const uint64_t hash = HashKey(s.key, seed_);
    uint32_t twin;
    if (keep && FindOnce(s.key, hash, &twin) && twin != kNil) {
      // Two slots for one block come of a damaged index; either will do.
      keep = false;
      s.state.store(s.owner.load(std::memory_order_relaxed) != 0 ? kDoomed : kFree, std::memory_order_relaxed);
    }
    if (keep) InsertHash(slot, hash);
    if (s.owner.load(std::memory_order_relaxed) != 0) {
      filling++;
    } else if (keep) {
      const uint64_t use = s.lastUse.load(std::memory_order_relaxed);
      uses.push_back({use > latest ? now : use, slot});
    } else {
      PushFree(slot);
    }
  }
  header_->filling.store(filling, std::memory_order_relaxed);
  std::sort(uses.begin(), uses.end(), [](const Use& a, const Use& b) { return a.time < b.time; });
  for (const Use& use : uses) {
    // Made to rise again where damage has made two the same.
    header_->clock = std::max(header_->clock + 1, use.time);
    slots_[use.slot].lastUse.store(header_->clock, std::memory_order_relaxed);
    order_.Insert(use.slot);
  }
}

}  // namespace shm
