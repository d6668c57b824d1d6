// The supervisor's part of the cache: eviction ahead of need, hand-over to the disk tier, scrub, figures.

#include <algorithm>
#include <cstring>

#include "shm_cache.h"
#include "shm_locked.h"

namespace shm {

namespace {

/** What the scrub counts for a look at a slot, in bytes verified. */
constexpr uint64_t kLookBytes = 256;

}  // namespace

uint32_t Cache::FreeTarget(uint32_t freePermille) const {
  const uint64_t slots = file_.geometry().slotsPerStripe;
  return static_cast<uint32_t>(std::min(slots / 2, std::max<uint64_t>(1, slots * freePermille / 1000)));
}

uint32_t Cache::EvictAhead(uint32_t freePermille, uint32_t minViews) {
  const uint32_t target = FreeTarget(freePermille);
  uint32_t evicted = 0;
  for (uint32_t index = 0; index < file_.geometry().stripeCount; index++) {
    Locked stripe(*this, index);
    if (!stripe) continue;
    Order& order = stripe->order();
    const auto isFull = [&] { return stripe->header().freeCount.load(std::memory_order_relaxed) < target; };
    uint32_t slot = isFull() ? order.First() : kNil;
    // The same window as in Coldest: when the disk can't keep up, blocks that are warmer must not go in the place of
    // colder ones.
    for (uint32_t steps = 0; slot != kNil && steps < 2 * target && isFull(); steps++) {
      const uint32_t next = order.Next(slot);
      if (!stripe->IsWanted(slot, minViews) && stripe->MayEvict(slot)) {
        const uint64_t repairs = stripe->repairs();
        stripe->Evict(slot);
        evicted++;
        // A repair has made the order anew, and `next` may not be in it any more.
        if (stripe->repairs() != repairs) break;
      }
      slot = next;
    }
  }
  return evicted;
}

std::vector<BlockName> Cache::Coldest(uint32_t freePermille, uint32_t minViews, uint32_t limit) {
  const uint32_t target = FreeTarget(freePermille);
  std::vector<BlockName> blocks;
  const uint32_t stripes = file_.geometry().stripeCount;
  // Goes on where the last call stopped, so that a small limit serves all stripes.
  for (uint32_t turn = 0; turn < stripes && blocks.size() < limit; turn++) {
    Locked stripe(*this, coldStripe_++ % stripes);
    if (!stripe || stripe->header().freeCount.load(std::memory_order_relaxed) >= 2 * target) continue;
    Order& order = stripe->order();
    uint32_t slot = order.First();
    for (uint32_t steps = 0; slot != kNil && steps < 2 * target && blocks.size() < limit;
         steps++, slot = order.Next(slot)) {
      FillWord fill;
      const SlotHeader& header = stripe->slot(slot);
      if (!stripe->IsWanted(slot, minViews) || !stripe->MayEvict(slot) || !stripe->IsSound(slot, &fill)) continue;
      if (fill.watermark == header.length) blocks.push_back({header.key, header.length});
    }
  }
  return blocks;
}

int64_t Cache::Copy(const Key& key, uint8_t* to, size_t room) {
  const uint64_t hash = HashKey(key, seed_);
  FillWord fill;
  {
    Locked stripe(*this, StripeOf(hash, file_.geometry().stripeCount));
    if (!stripe) return kAbsent;
    const uint32_t local = stripe->Find(key, hash);
    if (local == kNil || !stripe->IsSound(local, &fill)) return kAbsent;
    if (fill.watermark != stripe->slot(local).length || fill.watermark > room) return kAbsent;
    pinnedSlot_ = stripe->global(local);
    processes_->Pin(pinnedSlot_);
  }
  // Verified whatever the settings say, because damage that is written to disk stays there.
  if (!VerifyPinned(key, hash, fill)) return kAbsent;
  std::memcpy(to, data(pinnedSlot_), fill.watermark);
  Release();
  return fill.watermark;
}

bool Cache::MarkOnDisk(const Key& key, bool onDisk) {
  const uint64_t hash = HashKey(key, seed_);
  Locked stripe(*this, StripeOf(hash, file_.geometry().stripeCount));
  if (!stripe) return false;
  const uint32_t local = stripe->Find(key, hash);
  if (local == kNil) return false;
  stripe->slot(local).onDisk.store(onDisk, std::memory_order_relaxed);
  return true;
}

uint64_t Cache::Scrub(uint64_t budget) {
  const Geometry& g = file_.geometry();
  uint64_t verified = 0;
  // Looking at a slot counts as `kLookBytes`, so that a call ends soon when most slots are free.
  for (uint64_t turn = 0; turn < g.slotCount && verified + turn * kLookBytes < budget; turn++) {
    const uint32_t global = scrubSlot_++ % g.slotCount;
    const uint32_t local = global % g.slotsPerStripe;
    const uint32_t index = global / g.slotsPerStripe;
    if (StripeAt(index).slot(local).state.load(std::memory_order_relaxed) != kUsed) continue;
    Key key;
    FillWord fill;
    {
      Locked stripe(*this, index);
      if (!stripe || stripe->slot(local).state.load(std::memory_order_relaxed) != kUsed) continue;
      if (!stripe->IsSound(local, &fill)) {
        Damaged(*stripe, local);
        continue;
      }
      if (stripe->slot(local).owner.load(std::memory_order_relaxed) != 0) {
        // What is being filled is left to its filler, unless that is dead or damage.
        EndDeadFill(stripe, local);
        continue;
      }
      key = stripe->slot(local).key;
      pinnedSlot_ = global;
      processes_->Pin(global);
    }
    verified += fill.watermark;
    if (VerifyPinned(key, HashKey(key, seed_), fill)) Release();
  }
  return verified;
}

CacheStats Cache::Stats() {
  CacheStats stats;
  stats.capacity = file_.geometry().slotCount;
  stats.processes = processes_->CountAlive();
  stats.pinned = processes_->CountPinned();
  for (uint32_t index = 0; index < file_.geometry().stripeCount; index++) {
    Locked stripe(*this, index);
    stats.Add(stripe->header());
    const uint32_t coldest = stripe ? stripe->order().First() : kNil;
    if (coldest == kNil) continue;
    const uint64_t use = stripe->slot(coldest).lastUse.load(std::memory_order_relaxed);
    if (stats.oldestUse == 0 || use < stats.oldestUse) stats.oldestUse = use;
  }
  return stats;
}

}  // namespace shm
