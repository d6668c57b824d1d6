#include "shm_layout.h"

#include "shm_crc.h"

namespace shm {

namespace {

uint64_t RoundUp(uint64_t value, uint64_t to) { return (value + to - 1) / to * to; }

/** Objects whose demand is known: as many as there are slots, since history is to outlive the blocks. */
constexpr uint32_t kMinObjects = 1024;
constexpr uint32_t kMaxObjects = 1 << 20;

constexpr uint32_t kWatermarkBits = 19;
constexpr uint32_t kCheckShift = 32 + kWatermarkBits;
constexpr uint64_t kCheckedMask = (uint64_t{1} << kCheckShift) - 1;
static_assert(kBlockSize < (1u << kWatermarkBits), "a watermark fits");

uint64_t FillCheck(uint64_t checked, uint32_t slot) {
  struct {
    uint64_t checked;
    uint64_t slot;
  } input = {checked, slot};
  // Seeded, so that a word of zeros is not valid.
  return Crc32c(0x6d6f6f76, &input, sizeof input) >> kWatermarkBits;
}

}  // namespace

bool MakeGeometry(uint64_t bytes, Geometry* geometry) {
  if (bytes < kBlockSize || bytes > kMaxBytes) return false;
  uint32_t slots = static_cast<uint32_t>(bytes / kBlockSize);
  uint32_t stripes = 1;
  while (stripes < kMaxStripes && slots / (stripes * 2) >= kMinSlotsPerStripe) stripes *= 2;
  Geometry g = {};
  g.blockSize = kBlockSize;
  g.stripeCount = stripes;
  g.slotsPerStripe = slots / stripes;
  g.slotCount = g.slotsPerStripe * stripes;
  g.bucketsPerStripe = 1;
  while (g.bucketsPerStripe < g.slotsPerStripe + g.slotsPerStripe / 4) g.bucketsPerStripe *= 2;
  g.processes = 4096;
  g.generations = RoundUp(g.processes + kProcesses * sizeof(ProcessEntry), 4096);
  g.stripes = RoundUp(g.generations + kGenerations * sizeof(uint32_t), 4096);
  g.buckets = RoundUp(g.stripes + uint64_t{stripes} * sizeof(StripeHeader), 4096);
  g.links = RoundUp(g.buckets + uint64_t{stripes} * g.bucketsPerStripe * sizeof(uint32_t), 4096);
  g.slots = RoundUp(g.links + uint64_t{g.slotCount} * sizeof(SlotLinks), 4096);
  g.follows = RoundUp(g.slots + uint64_t{g.slotCount} * sizeof(SlotHeader), 4096);
  g.history = RoundUp(g.follows + uint64_t{g.slotCount} * sizeof(SlotFollow), 4096);
  // So many past views for a slot that a disk tier sixteen times as large as the memory tier is reached.
  g.historyCount = 1;
  while (g.historyCount < g.slotCount) g.historyCount *= 2;
  g.demand = RoundUp(g.history + uint64_t{g.historyCount} * sizeof(HistorySet), 4096);
  g.objectCount = kMinObjects;
  while (g.objectCount < g.slotCount && g.objectCount < kMaxObjects) g.objectCount *= 2;
  g.data = RoundUp(g.demand + kDemandHeaderBytes + uint64_t{g.objectCount} * sizeof(ObjectDemand), kDataAlignment);
  g.fileSize = g.data + uint64_t{g.slotCount} * kBlockSize;
  *geometry = g;
  return true;
}

uint64_t FillWord::Encode(uint32_t slot) const {
  uint64_t checked = uint64_t{watermark} << 32 | crc;
  return FillCheck(checked, slot) << kCheckShift | checked;
}

bool FillWord::Decode(uint64_t word, uint32_t slot, FillWord* fill) {
  uint64_t checked = word & kCheckedMask;
  if (word >> kCheckShift != FillCheck(checked, slot)) return false;
  fill->watermark = static_cast<uint32_t>(checked >> 32);
  fill->crc = static_cast<uint32_t>(checked);
  return fill->watermark <= kBlockSize;
}

uint32_t IdentityCrc(const Key& key, uint32_t length, uint32_t slot) {
  const uint32_t words[8] = {key.id[0], key.id[1], key.id[2], key.id[3], key.block, length, slot, 0};
  return Crc32c(0, words, sizeof words);
}

}  // namespace shm
