#include "shm_carry.h"

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <vector>

#include "shm_crc.h"
#include "shm_stripe.h"
#include "shm_system.h"

namespace shm {

namespace {

/** Slot headers that are read at once. */
constexpr uint32_t kHeadersAtOnce = 4096;
/** Entries of the table of demand that are read at once; the tables have multiples of it. */
constexpr uint32_t kObjectsAtOnce = 1024;

struct Found {
  uint64_t lastUse;
  uint32_t slot;
};

/** True of a block that nobody fills and that has bytes. */
bool IsWorthIt(const SlotHeader& found, uint32_t slot, FillWord* fill) {
  return found.state.load(std::memory_order_relaxed) == kUsed && found.owner.load(std::memory_order_relaxed) == 0 &&
         found.length >= 1 && found.length <= kBlockSize &&
         IdentityCrc(found.key, found.length, slot) == found.identityCrc &&
         FillWord::Decode(found.fill.load(std::memory_order_relaxed), slot, fill) && fill->watermark > 0 &&
         fill->watermark <= found.length;
}

/** Reads slot headers as they are at this moment, with the file's other users at work. */
bool ReadSlots(int from, const Geometry& source, uint32_t first, uint32_t count, SlotHeader* headers) {
  return ReadAll(from, headers, count * sizeof(SlotHeader), source.slots + uint64_t{first} * sizeof(SlotHeader));
}

/** Every block worth it, the one used last first. */
std::vector<Found> Find(int from, const Geometry& source) {
  std::vector<Found> found;
  std::vector<SlotHeader> headers(kHeadersAtOnce);
  for (uint32_t first = 0; first < source.slotCount; first += kHeadersAtOnce) {
    const uint32_t count = std::min(kHeadersAtOnce, source.slotCount - first);
    if (!ReadSlots(from, source, first, count, headers.data())) break;
    for (uint32_t i = 0; i < count; i++) {
      FillWord fill;
      const SlotHeader& header = headers[i];
      if (!IsWorthIt(header, first + i, &fill)) continue;
      found.push_back({header.lastUse.load(std::memory_order_relaxed), first + i});
    }
  }
  std::sort(found.begin(), found.end(), [](const Found& a, const Found& b) { return a.lastUse > b.lastUse; });
  return found;
}

/** Copies a block's bytes to `data`; false when they are not there whole, or something else came in their place. */
bool CopyBytes(int from, const Geometry& source, uint32_t slot, const SlotHeader& before, const FillWord& fill,
               uint8_t* data) {
  if (!ReadAll(from, data, fill.watermark, source.data + uint64_t{slot} * kBlockSize)) return false;
  if (Crc32c(0, data, fill.watermark) != fill.crc) return false;
  SlotHeader after;
  if (!ReadSlots(from, source, slot, 1, &after)) return false;
  return after.key == before.key &&
         after.fill.load(std::memory_order_relaxed) == before.fill.load(std::memory_order_relaxed);
}

/** Past views: the sets of the older table that a block's set was, or became a part of. */
void CarryHistory(int from, const Geometry& source, uint8_t* base, const Geometry& target) {
  auto* sets = reinterpret_cast<HistorySet*>(base + target.history);
  HistorySet found;
  for (uint32_t set = 0; set < target.historyCount; set++) {
    uint32_t way = 0;
    // A larger table gets each set several times. What belongs elsewhere is known by no tag there, and makes room.
    const uint32_t first = set & (source.historyCount - 1);
    for (uint64_t at = first; at < source.historyCount && way < kHistoryWays; at += target.historyCount) {
      if (!ReadAll(from, &found, sizeof found, source.history + at * sizeof found)) return;
      for (uint32_t i = 0; i < kHistoryWays && way < kHistoryWays; i++) {
        const uint32_t word = found.words[i].load(std::memory_order_relaxed);
        if (word != 0) sets[set].words[way++].store(word, std::memory_order_relaxed);
      }
    }
  }
}

/** What is known of demand: as many objects as find a place. */
void CarryDemand(int from, const Geometry& source, uint8_t* base, const Geometry& target) {
  auto* header = reinterpret_cast<DemandHeader*>(base + target.demand);
  auto* objects = reinterpret_cast<ObjectDemand*>(base + target.demand + kDemandHeaderBytes);
  if (!ReadAll(from, static_cast<void*>(header), sizeof *header, source.demand)) return;
  std::vector<ObjectDemand> found(kObjectsAtOnce);
  uint64_t carried = 0;
  for (uint32_t first = 0; first < source.objectCount; first += kObjectsAtOnce) {
    const uint64_t at = source.demand + kDemandHeaderBytes + uint64_t{first} * sizeof(ObjectDemand);
    const uint32_t count = std::min(kObjectsAtOnce, source.objectCount - first);
    if (!ReadAll(from, static_cast<void*>(found.data()), count * sizeof(ObjectDemand), at)) break;
    for (uint32_t i = 0; i < count; i++) {
      const uint64_t name = found[i].name.load(std::memory_order_relaxed);
      if (name == 0) continue;
      ObjectDemand* set = objects + DemandSet(name, target);
      for (uint32_t way = 0; way < kDemandWays; way++) {
        if (set[way].name.load(std::memory_order_relaxed) != 0) continue;
        std::memcpy(static_cast<void*>(&set[way]), static_cast<const void*>(&found[i]), sizeof(ObjectDemand));
        carried++;
        break;
      }
    }
  }
  header->objects.store(carried, std::memory_order_relaxed);
}

}  // namespace

uint32_t CarryOver(int from, const Geometry& source, uint8_t* base, const Geometry& target, uint64_t seed) {
  SlotHeader* slots = reinterpret_cast<SlotHeader*>(base + target.slots);
  std::vector<uint32_t> used(target.stripeCount, 0);
  uint32_t carried = 0;
  for (const Found& found : Find(from, source)) {
    if (carried == target.slotCount) break;
    SlotHeader before;
    FillWord fill;
    // Again, for somebody may have put another block there since.
    if (!ReadSlots(from, source, found.slot, 1, &before) || !IsWorthIt(before, found.slot, &fill)) continue;
    const uint32_t stripe = StripeOf(HashKey(before.key, seed), target.stripeCount);
    if (used[stripe] == target.slotsPerStripe) continue;
    const uint32_t slot = stripe * target.slotsPerStripe + used[stripe];
    if (!CopyBytes(from, source, found.slot, before, fill, base + target.data + uint64_t{slot} * kBlockSize)) continue;
    SlotHeader& header = slots[slot];
    header.key = before.key;
    header.length = before.length;
    header.identityCrc = IdentityCrc(before.key, before.length, slot);
    // Relaxed throughout: nobody else sees the file before its state says that it is ready.
    header.fill.store(fill.Encode(slot), std::memory_order_relaxed);
    header.owner.store(0, std::memory_order_relaxed);
    header.lastUse.store(before.lastUse.load(std::memory_order_relaxed), std::memory_order_relaxed);
    header.views.store(before.views.load(std::memory_order_relaxed), std::memory_order_relaxed);
    header.onDisk.store(before.onDisk.load(std::memory_order_relaxed), std::memory_order_relaxed);
    header.state.store(kUsed, std::memory_order_relaxed);
    used[stripe]++;
    carried++;
  }
  CarryHistory(from, source, base, target);
  CarryDemand(from, source, base, target);
  return carried;
}

}  // namespace shm
