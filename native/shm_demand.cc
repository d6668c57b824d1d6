#include "shm_demand.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "shm_system.h"

namespace shm {

namespace {

// All loads and stores are relaxed: each word stands for itself, and a stale one makes an estimate a little worse.
constexpr auto kRelaxed = std::memory_order_relaxed;

/** Seconds in which half of what was seen of an object is forgotten, and half of what was seen of late. */
constexpr float kHalfLife = 4 * 3600;
constexpr float kLatelyHalfLife = 60;
/** Views of late from which on they count by themselves: what few say is chance. */
constexpr float kLatelyMin = 2;
/** At most so many views are expected in the time since an object's last: else it is over, or has a new version. */
constexpr float kSilence = 4;
/** Views that every object is taken to have had at the mean rate of all, before it was seen. */
constexpr float kPriorViews = 0.3f;
/** Reads after which counts of the profile are halved, so that it follows what viewers do. */
constexpr uint64_t kProfileReads = 1 << 24;
/** A reader may leave out blocks that it has or does not want, and still be the same. */
constexpr uint32_t kGap = 4;
/**
 * A viewer is awaited less and less from twice to so many times what it takes for a block, but at least for so many
 * seconds; then it has paused. It is taken for the same when it goes on within the time after that.
 */
constexpr float kPatience = 4;
constexpr float kPatienceMin = 20;
constexpr float kPause = 1800;
/** Seconds for a block of whom nothing is known yet: 256 KiB at 4 Mbit/s. */
constexpr float kUsualPace = 0.5f;
constexpr float kMaxPace = 60;
/** Blocks that a view reads on average where nothing has been seen yet. */
constexpr float kUsualRun = 64;

uint32_t BitsOf(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  return bits;
}

float FloatOf(uint32_t bits) {
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

/** Eighths of seconds: what is kept of a time. */
uint32_t TicksOf(double now) { return static_cast<uint32_t>(static_cast<uint64_t>(std::max(0.0, now) * 8)); }

/** A count of which half is forgotten in each half-life: a float, and when it was that, in ticks. */
struct Decayed {
  static float Read(uint64_t word, float halfLife, double now) {
    const float count = FloatOf(static_cast<uint32_t>(word >> 32));
    const uint32_t at = static_cast<uint32_t>(word);
    const uint32_t ticks = TicksOf(now);
    // A time ahead of the clock, or a count that can't be, is damage or a clock that was set back.
    if (!(count > 0) || !(count < 1e9f) || at > ticks + 8) return 0;
    return ticks <= at ? count : count * std::exp2(-static_cast<float>(ticks - at) / (8 * halfLife));
  }
  /** Seconds since something was added. */
  static float Age(uint64_t word, double now) {
    const uint32_t ticks = TicksOf(now);
    const auto at = static_cast<uint32_t>(word);
    return ticks <= at ? 0 : static_cast<float>(ticks - at) / 8;
  }
  static void Add(std::atomic<uint64_t>& word, float amount, float halfLife, double now) {
    const float count = Read(word.load(kRelaxed), halfLife, now) + amount;
    word.store(uint64_t{BitsOf(count)} << 32 | TicksOf(now), kRelaxed);
  }
};

/** Seconds of the past that a Decayed stands for. */
float Memory(float halfLife, double now) {
  const float mean = halfLife / 0.6931472f;
  return std::max(1.0f, mean * (1 - std::exp(-static_cast<float>(std::max(0.0, now)) / mean)));
}

/** A viewer in a word: block, 28 bits; seconds a block in 1/256, 14 bits; when it came there in ticks, 22 bits. */
struct Viewer {
  static constexpr uint32_t kBlockBits = 28;
  static constexpr uint32_t kPaceBits = 14;
  static constexpr uint32_t kTimeBits = 22;
  static constexpr uint32_t kTimeMask = (1u << kTimeBits) - 1;

  uint32_t block;
  float pace;
  /** Seconds that it has been there. */
  float age;

  static uint32_t TimeOf(double now) { return TicksOf(now) & kTimeMask; }

  uint64_t Encode(double now) const {
    const auto steps = static_cast<uint64_t>(std::min(pace, kMaxPace) * 256) & ((1u << kPaceBits) - 1);
    return uint64_t{block} << (kPaceBits + kTimeBits) | std::max<uint64_t>(1, steps) << kTimeBits | TimeOf(now);
  }
  /** False when the word holds nobody. */
  static bool Decode(uint64_t word, double now, Viewer* viewer) {
    if (word == 0) return false;
    viewer->block = static_cast<uint32_t>(word >> (kPaceBits + kTimeBits));
    viewer->pace = static_cast<float>((word >> kTimeBits) & ((1u << kPaceBits) - 1)) / 256;
    viewer->age = static_cast<float>((TimeOf(now) - static_cast<uint32_t>(word)) & kTimeMask) / 8;
    return true;
  }
  /** Chance that it has not paused. */
  float Presence() const {
    const float longest = std::max(kPatienceMin, kPatience * pace);
    return std::min(1.0f, std::max(0.0f, (longest - age) / (longest - 2 * std::min(pace, kPatienceMin / 4))));
  }
  /** Whether it may come back and be the same. */
  bool IsKnown() const { return age <= kPause; }
};
static_assert(kMaxPace * 256 < (1 << Viewer::kPaceBits), "a pace fits");

uint64_t NameOf(const Key& key) {
  uint64_t hash =
      (uint64_t{key.id[1]} << 32 | key.id[0]) ^ (uint64_t{key.id[3]} << 32 | key.id[2]) * 0x9e3779b97f4a7c15ull;
  hash = (hash ^ (hash >> 32)) * 0xff51afd7ed558ccdull;
  hash ^= hash >> 29;
  return hash == 0 ? 1 : hash;
}

void Increment(std::atomic<uint32_t>& count) {
  const uint32_t value = count.load(kRelaxed);
  if (value != std::numeric_limits<uint32_t>::max()) count.store(value + 1, kRelaxed);
}

}  // namespace

uint32_t ProfileGroup(uint32_t block) {
  if (block < 8) return block;
  const uint32_t top = 31 - static_cast<uint32_t>(__builtin_clz(block));
  return (top - 2) * 8 + ((block >> (top - 3)) & 7);
}

uint64_t ProfileStart(uint32_t group) {
  if (group < 8) return group;
  return uint64_t{8 + group % 8} << (group / 8 - 1);
}

Demand::Demand(uint8_t* base, const Geometry& geometry)
    : header_(reinterpret_cast<DemandHeader*>(base + geometry.demand)),
      objects_(reinterpret_cast<ObjectDemand*>(base + geometry.demand + kDemandHeaderBytes)),
      mask_(geometry.objectCount - 1),
      slots_(geometry.slotCount) {
  // Whoever comes first says when the table began. A time that lies ahead is damage: then it begins now.
  const uint64_t now = RealtimeUs() / 1000;
  uint64_t since = header_->since.load(kRelaxed);
  constexpr uint64_t kLongest = uint64_t{10} * 365 * 86400 * 1000;
  if (since == 0 || since > now || now - since > kLongest) {
    header_->since.compare_exchange_strong(since, now, kRelaxed);
  }
}

double Demand::Now() const {
  const uint64_t now = RealtimeUs() / 1000;
  const uint64_t since = header_->since.load(kRelaxed);
  return since >= now ? 0 : static_cast<double>(now - since) / 1000;
}

ObjectDemand* Demand::Find(uint64_t name) const {
  ObjectDemand* set = objects_ + (static_cast<uint32_t>(name) & mask_ & ~(kDemandWays - 1));
  for (uint32_t way = 0; way < kDemandWays; way++) {
    if (set[way].name.load(kRelaxed) == name) return &set[way];
  }
  return nullptr;
}

ObjectDemand& Demand::FindOrTake(uint64_t name, double now) {
  if (ObjectDemand* found = Find(name)) return *found;
  ObjectDemand* set = objects_ + (static_cast<uint32_t>(name) & mask_ & ~(kDemandWays - 1));
  ObjectDemand* least = set;
  float fewest = std::numeric_limits<float>::infinity();
  for (uint32_t way = 0; way < kDemandWays; way++) {
    const bool empty = set[way].name.load(kRelaxed) == 0;
    const float views = empty ? -1 : Decayed::Read(set[way].views.load(kRelaxed), kHalfLife, now);
    if (views >= fewest) continue;
    fewest = views;
    least = &set[way];
  }
  if (least->name.load(kRelaxed) == 0) {
    const uint64_t objects = header_->objects.load(kRelaxed);
    header_->objects.store(std::min<uint64_t>(objects, mask_) + 1, kRelaxed);
  }
  // Emptied before it has its new name, so that nothing of the old object counts for the new one.
  least->name.store(0, kRelaxed);
  least->views.store(0, kRelaxed);
  least->lately.store(0, kRelaxed);
  least->last.store(0, kRelaxed);
  for (auto& viewer : least->viewers) viewer.store(0, kRelaxed);
  least->name.store(name, kRelaxed);
  return *least;
}

float Demand::RunLength() const {
  const auto reads = static_cast<float>(header_->reads.load(kRelaxed));
  const auto begun = static_cast<float>(header_->begun.load(kRelaxed));
  // A few views are taken to have been as usual before any was seen.
  return std::min(1e6f, std::max(1.0f, (reads + 4 * kUsualRun) / (begun + 4)));
}

void Demand::Begin(ObjectDemand& object, double now) {
  Decayed::Add(object.views, 1, kHalfLife, now);
  Decayed::Add(object.lately, 1, kLatelyHalfLife, now);
  Decayed::Add(header_->views, 1, kHalfLife, now);
  header_->begun.store(header_->begun.load(kRelaxed) + 1, kRelaxed);
  const uint32_t last = ProfileGroup(static_cast<uint32_t>(object.last.load(kRelaxed)));
  for (uint32_t group = 0; group <= last; group++) Increment(header_->offered[group]);
}

void Demand::See(const Key& key, double now) {
  const uint32_t block = std::min(key.block, (1u << Viewer::kBlockBits) - 1);
  ObjectDemand& object = FindOrTake(NameOf(key), now);
  if (block > object.last.load(kRelaxed)) object.last.store(block, kRelaxed);
  std::atomic<uint64_t>* place = nullptr;
  std::atomic<uint64_t>* stalest = &object.viewers[0];
  float oldest = -1;
  Viewer nearest = {0, kUsualPace, 0};
  for (auto& word : object.viewers) {
    Viewer viewer;
    const bool there = Viewer::Decode(word.load(kRelaxed), now, &viewer);
    const float age = there ? viewer.age : std::numeric_limits<float>::infinity();
    if (age > oldest) {
      oldest = age;
      stalest = &word;
    }
    if (!there || !viewer.IsKnown() || viewer.block > block || block - viewer.block > kGap) continue;
    if (place != nullptr && viewer.block <= nearest.block) continue;
    place = &word;
    nearest = viewer;
  }
  Viewer next = {block, nearest.pace, 0};
  if (place == nullptr) {
    Begin(object, now);
    place = stalest;
  } else if (block > nearest.block) {
    const float pace = nearest.age / static_cast<float>(block - nearest.block);
    next.pace = nearest.pace * 0.75f + std::min(pace, kMaxPace) * 0.25f;
  }
  place->store(next.Encode(now), kRelaxed);
  Increment(header_->reached[ProfileGroup(block)]);
  const uint64_t reads = header_->reads.load(kRelaxed) + 1;
  header_->reads.store(reads, kRelaxed);
  if (reads < kProfileReads) return;
  header_->reads.store(reads / 2, kRelaxed);
  header_->begun.store(header_->begun.load(kRelaxed) / 2, kRelaxed);
  for (auto& count : header_->reached) count.store(count.load(kRelaxed) / 2, kRelaxed);
  for (auto& count : header_->offered) count.store(count.load(kRelaxed) / 2, kRelaxed);
}

void Demand::Leave(const Key& key) {
  ObjectDemand* object = Find(NameOf(key));
  if (object == nullptr) return;
  const uint32_t block = std::min(key.block, (1u << Viewer::kBlockBits) - 1);
  for (auto& word : object->viewers) {
    Viewer viewer;
    if (!Viewer::Decode(word.load(kRelaxed), 0, &viewer) || viewer.block != block) continue;
    word.store(0, kRelaxed);
    return;
  }
}

float Demand::RateOf(const ObjectDemand* object, uint32_t block, double now) const {
  const float memory = Memory(kHalfLife, now);
  const auto objects = static_cast<float>(std::max<uint64_t>(1, header_->objects.load(kRelaxed)));
  const float mean = Decayed::Read(header_->views.load(kRelaxed), kHalfLife, now) / memory / objects;
  if (!(mean > 0)) return 0;
  const float views = object == nullptr ? 0 : Decayed::Read(object->views.load(kRelaxed), kHalfLife, now);
  float rate = (views + kPriorViews) / (memory + kPriorViews / mean);
  if (object != nullptr) {
    const float lately = Decayed::Read(object->lately.load(kRelaxed), kLatelyHalfLife, now);
    if (lately > kLatelyMin) rate = std::max(rate, (lately - kLatelyMin) / Memory(kLatelyHalfLife, now));
    rate = std::min(rate, kSilence / std::max(1.0f, Decayed::Age(object->views.load(kRelaxed), now)));
  }
  const uint32_t group = ProfileGroup(block);
  const auto reached = static_cast<float>(header_->reached[group].load(kRelaxed));
  const auto offered = static_cast<float>(header_->offered[group].load(kRelaxed));
  const auto width = static_cast<float>(ProfileStart(group + 1) - ProfileStart(group));
  // Views may read a block more than once, but not much.
  return rate * std::min(2.0f, reached / (width * std::max(1.0f, offered)));
}

Expected Demand::Estimate(const Key& key, float seconds, double now) const {
  const ObjectDemand* object = Find(NameOf(key));
  const uint32_t block = std::min(key.block, (1u << Viewer::kBlockBits) - 1);
  Expected expected = {0, RateOf(object, block, now)};
  if (object == nullptr) return expected;
  const float leaving = 1 / RunLength();
  float nobody = 1;
  for (const auto& word : object->viewers) {
    Viewer viewer;
    if (!Viewer::Decode(word.load(kRelaxed), now, &viewer) || viewer.block > block) continue;
    const float presence = viewer.Presence();
    if (presence <= 0) continue;
    if (viewer.block == block) {
      // It is being read, and a stalled player may go on reading it; somebody else may still be as near.
      expected.awaited = 1;
      return expected;
    }
    const auto distance = static_cast<float>(block - viewer.block);
    nobody *= 1 - presence * std::exp(-distance * (leaving + viewer.pace / seconds));
  }
  expected.awaited = 1 - nobody;
  return expected;
}

uint64_t Demand::Objects() const { return std::min<uint64_t>(header_->objects.load(kRelaxed), uint64_t{mask_} + 1); }

void Demand::Evicted(uint32_t count, double now) {
  Decayed::Add(header_->evicted, static_cast<float>(count), kLatelyHalfLife, now);
}

float Demand::Residency(double now) const {
  const float evicted = Decayed::Read(header_->evicted.load(kRelaxed), kLatelyHalfLife, now);
  const float rate = evicted / Memory(kLatelyHalfLife, now);
  return std::min(86400.0f, std::max(1.0f, static_cast<float>(slots_) / std::max(1e-6f, rate)));
}

}  // namespace shm
