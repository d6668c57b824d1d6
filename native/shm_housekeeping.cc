// The supervisor's part of the cache: eviction ahead of need, hand-over to the disk tier, scrub, figures.

#include <algorithm>
#include <cmath>
#include <cstring>

#include "shm_cache.h"
#include "shm_locked.h"

namespace shm {

namespace {

/** What the scrub counts for a look at a slot, in bytes verified. */
constexpr uint64_t kLookBytes = 256;
/** Most links that are followed with the lock held to find what was used lately. */
constexpr uint32_t kRecentSteps = 32;

}  // namespace

uint32_t Cache::FreeTarget(uint32_t freePermille) const {
  const uint64_t slots = file_.geometry().slotsPerStripe;
  return static_cast<uint32_t>(std::min(slots / 2, std::max<uint64_t>(1, slots * freePermille / 1000)));
}

bool Cache::IsWanted(const Cold& cold, const Admission& admission, const Moment& moment) const {
  if (cold.onDisk || cold.views < admission.minViews) return false;
  if (admission.seconds == 0) return true;
  const auto seconds = static_cast<float>(admission.seconds);
  return demand_.Estimate(cold.name.key, seconds, moment).Uses(seconds) * 1000 >= static_cast<float>(admission.minUses);
}

void Cache::LookAtColdest(uint32_t index, uint32_t target) {
  cold_.clear();
  const uint32_t free = StripeAt(index).header().freeCount.load(std::memory_order_relaxed);
  if (free >= 2 * target) return;
  if (byDemand_) Condemn(index, 2 * target - free);
  Locked stripe(*this, index);
  if (!stripe) return;
  Order& order = stripe->order();
  uint32_t slot = order.First();
  for (uint32_t steps = 0; slot != kNil && steps < 2 * target; steps++, slot = order.Next(slot)) {
    // By demand, those that were used least recently may be wanted most.
    if (byDemand_ && stripe->slot(slot).condemned.load(std::memory_order_relaxed) == 0) break;
    if (!stripe->MayEvict(slot)) continue;
    FillWord fill;
    const SlotHeader& header = stripe->slot(slot);
    const bool isWhole = stripe->IsSound(slot, &fill) && fill.watermark == header.length;
    cold_.push_back({{header.key, header.length},
                     slot,
                     header.views.load(std::memory_order_relaxed),
                     header.onDisk.load(std::memory_order_relaxed) != 0,
                     isWhole});
  }
}

void Cache::LookAtRecent(Stripe& stripe, Recent& recent, double now) {
  Order& order = stripe.order();
  const uint64_t before = recent.lookedUpTo;
  uint32_t slot = order.Last();
  if (slot != kNil) recent.lookedUpTo = stripe.slot(slot).lastUse.load(std::memory_order_relaxed);
  for (uint32_t steps = 0; slot != kNil && steps < kRecentSteps; steps++, slot = order.Before(slot)) {
    const SlotHeader& header = stripe.slot(slot);
    if (header.lastUse.load(std::memory_order_relaxed) <= before) break;
    recent.Add({header.key, slot, now});
  }
}

void Cache::Condemn(uint32_t index, uint32_t count) {
  Candidate candidates[(kRecentCandidates + kCandidates) * kVictims];
  const Moment moment = demand_.At(demand_.Now());
  recent_.resize(file_.geometry().stripeCount);
  Recent& recent = recent_[index];
  const auto mayGo = [](const Stripe& stripe, uint32_t slot) {
    return stripe.slot(slot).condemned.load(std::memory_order_relaxed) == 0 && stripe.MayEvict(slot);
  };
  // Each turn condemns at least one, or is the last.
  for (uint32_t turn = 0; turn < count; turn++) {
    uint32_t found = 0;
    uint32_t recentFound;
    uint32_t victims;
    {
      Locked stripe(*this, index);
      if (!stripe) return;
      if (turn == 0) LookAtRecent(*stripe, recent, moment.now);
      const uint32_t condemned = stripe->header().condemned.load(std::memory_order_relaxed);
      if (condemned >= count) return;
      victims = std::min(kVictims, count - condemned);
      for (Recent::Block block; found < kRecentCandidates * victims && recent.Take(moment.now, &block);) {
        if (mayGo(*stripe, block.slot) && stripe->slot(block.slot).key == block.key)
          candidates[found++] = {block.key, block.slot, 0};
      }
      recentFound = found;
      for (uint32_t look = 0; look < kCandidates * victims; look++) {
        const uint32_t slot = Draw(stripe->size());
        if (mayGo(*stripe, slot)) candidates[found++] = {stripe->slot(slot).key, slot, 0};
      }
    }
    // Without the lock: nobody waits while the table is asked.
    demand_.Judge(candidates, found, moment);
    for (uint32_t i = 0; i < recentFound; i++) {
      // Its reader is there still.
      if (std::isinf(candidates[i].worth)) recent.Add({candidates[i].key, candidates[i].slot, moment.now});
    }
    victims = std::min(victims, found);
    std::partial_sort(candidates, candidates + victims, candidates + found,
                      [](const Candidate& a, const Candidate& b) { return a.worth < b.worth; });
    Locked stripe(*this, index);
    if (!stripe || victims == 0) return;
    for (uint32_t i = 0; i < victims; i++) {
      const Candidate& candidate = candidates[i];
      // The same slot may have been drawn twice, or have got another block meanwhile.
      if (!mayGo(*stripe, candidate.slot) || !(stripe->slot(candidate.slot).key == candidate.key)) continue;
      stripe->Condemn(candidate.slot);
      demand_.Parted(candidate.worth);
    }
  }
}

uint32_t Cache::EvictAhead(uint32_t freePermille, const Admission& admission) {
  const uint32_t target = FreeTarget(freePermille);
  uint32_t evicted = 0;
  uint64_t total = 0;
  const Moment moment = demand_.At(demand_.Now());
  for (uint32_t index = 0; index < file_.geometry().stripeCount; index++) {
    const StripeHeader& header = StripeAt(index).header();
    const auto isFull = [&] { return header.freeCount.load(std::memory_order_relaxed) < target; };
    if (isFull()) {
      // The same window as in Coldest: when the disk can't keep up, blocks that are warmer must not go in the place of
      // colder ones.
      LookAtColdest(index, target);
      // Who is wanted is found without the lock, for which readers wait.
      const auto wanted = [&](const Cold& cold) { return IsWanted(cold, admission, moment); };
      cold_.erase(std::remove_if(cold_.begin(), cold_.end(), wanted), cold_.end());
      Locked stripe(*this, index);
      for (const Cold& cold : cold_) {
        if (!stripe || !isFull()) break;
        // Another process may have put another block there, or somebody may be using this one.
        const SlotHeader& slot = stripe->slot(cold.slot);
        if (!stripe->MayEvict(cold.slot) || !(slot.key == cold.name.key)) continue;
        stripe->Evict(cold.slot);
        evicted++;
      }
    }
    total += header.counters.evictedToDisk.load(std::memory_order_relaxed) +
             header.counters.dropped.load(std::memory_order_relaxed);
  }
  // What went for want of room, in any process, counts with what was evicted here.
  if (evictedBefore_ != 0 && total > evictedBefore_) {
    demand_.Evicted(static_cast<uint32_t>(std::min<uint64_t>(total - evictedBefore_, file_.geometry().slotCount)),
                    moment.now);
  }
  evictedBefore_ = total;
  return evicted;
}

std::vector<BlockName> Cache::Coldest(uint32_t freePermille, const Admission& admission, uint32_t limit) {
  const uint32_t target = FreeTarget(freePermille);
  std::vector<BlockName> blocks;
  const Moment moment = demand_.At(demand_.Now());
  const uint32_t stripes = file_.geometry().stripeCount;
  // Goes on where the last call stopped, so that a small limit serves all stripes.
  for (uint32_t turn = 0; turn < stripes && blocks.size() < limit; turn++) {
    LookAtColdest(coldStripe_++ % stripes, target);
    for (const Cold& cold : cold_) {
      if (blocks.size() < limit && cold.isWhole && IsWanted(cold, admission, moment)) blocks.push_back(cold.name);
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
    processes_->Pin(pinnedSlot_, 0);
  }
  // Verified whatever the settings say, because damage that is written to disk stays there.
  if (!VerifyPinned(key, hash, fill)) return kAbsent;
  std::memcpy(to, data(pinnedSlot_), fill.watermark);
  Release();
  return fill.watermark;
}

bool Cache::Drop(const Key& key) {
  const uint64_t hash = HashKey(key, seed_);
  Locked stripe(*this, StripeOf(hash, file_.geometry().stripeCount));
  if (!stripe) return false;
  const uint32_t local = stripe->Find(key, hash);
  if (local == kNil || !stripe->MayEvict(local)) return false;
  stripe->Evict(local);
  return true;
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
      processes_->Pin(global, 0);
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
  stats.residency = demand_.Residency(demand_.Now());
  stats.partedWait = demand_.PartedWait();
  stats.knownObjects = demand_.Objects();
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
