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
/** Seconds that what was seen of viewers is taken to stand for at least: at first, what has come tells little. */
constexpr float kShortest = 60;
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
/** Seconds for a block where nothing has been seen yet: 256 KiB at 4 Mbit/s. */
constexpr float kUsualPace = 0.5f;
/** What a block adds to a viewer's pace, which has to hold over segments that are read at once, and to that of all. */
constexpr float kPaceShare = 1.0f / 16;
constexpr float kCommonPaceShare = 1.0f / 256;
/** Nothing is expected to be used later than in so many seconds. */
constexpr float kLongestWait = 7 * 86400;
/** A viewer is not taken to be nearer than this part of its pace. */
constexpr float kNearest = 0.5f;
constexpr float kMaxPace = 60;
/** Blocks that a view reads on average where nothing has been seen yet. */
constexpr float kUsualRun = 64;
/** So many of the slots that are drawn are free: there is room. */
constexpr uint32_t kRoomy = 2;
/** A block takes the place of one that it is worth so many times as much as. */
constexpr float kClearly = 2;

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

/** Two to the power of `x`, which is not above 0: to four digits, and many times as fast as exact. */
float PowerOfTwo(float x) {
  if (!(x > -126)) return 0;
  const float whole = std::floor(x);
  const float part = x - whole;
  const float mantissa = 1 + part * (0.6951786f + part * (0.2262698f + part * 0.0785516f));
  return mantissa * FloatOf(static_cast<uint32_t>(static_cast<int32_t>(whole) + 127) << 23);
}

float PowerOfE(float x) { return PowerOfTwo(x * 1.4426950f); }

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
    return ticks <= at ? count : count * PowerOfTwo(-static_cast<float>(ticks - at) / (8 * halfLife));
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

/** Seconds of the past that a Decayed stands for, at least `least`. */
float Memory(float halfLife, float least, double now) {
  const float mean = halfLife / 0.6931472f;
  return std::max(least, mean * (1 - std::exp(-static_cast<float>(std::max(0.0, now)) / mean)));
}

/**
 * A viewer in a word: block, 27 bits; whether it has all of that; seconds a block in 1/256, 14 bits; when it came there
 * in ticks, 22 bits.
 */
struct Viewer {
  static constexpr uint32_t kBlockBits = 27;
  static constexpr uint32_t kPaceBits = 14;
  static constexpr uint32_t kTimeBits = 22;
  static constexpr uint32_t kTimeMask = (1u << kTimeBits) - 1;
  static constexpr uint64_t kFinished = uint64_t{1} << (kPaceBits + kTimeBits);

  uint32_t block;
  float pace;
  /** Seconds that it has been there. */
  float age;
  bool isFinished = false;

  static uint32_t TimeOf(double now) { return TicksOf(now) & kTimeMask; }
  /** Number of a block as it stands in a viewer's word, and so in all that is known of an object. */
  static uint32_t BlockOf(const Key& key) { return std::min(key.block, (1u << kBlockBits) - 1); }

  uint64_t Encode(double now) const {
    const auto steps = static_cast<uint64_t>(std::min(pace, kMaxPace) * 256 + 0.5f) & ((1u << kPaceBits) - 1);
    return uint64_t{block} << (kPaceBits + kTimeBits + 1) | std::max<uint64_t>(1, steps) << kTimeBits | TimeOf(now);
  }
  /** False when the word holds nobody. */
  static bool Decode(uint64_t word, double now, Viewer* viewer) {
    if (word == 0) return false;
    viewer->block = static_cast<uint32_t>(word >> (kPaceBits + kTimeBits + 1));
    viewer->isFinished = (word & kFinished) != 0;
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

/**
 * How much an object's entry is worth keeping. Views in quarters, so that age alone does not tell between objects that
 * have had the same; somebody who is there makes up to one more. Of equals the one goes that was begun last: many that
 * are asked for once must not take the place of one that is asked for all the time by a viewer who stays where it is.
 */
struct Standing {
  float value;
  /** Seconds since a view began. */
  float age;

  static Standing Of(const ObjectDemand& object, double now) {
    if (object.name.load(kRelaxed) == 0) return {-1, 0};
    const uint64_t views = object.views.load(kRelaxed);
    float away = std::numeric_limits<float>::infinity();
    for (const auto& word : object.viewers) {
      Viewer viewer;
      if (Viewer::Decode(word.load(kRelaxed), now, &viewer)) away = std::min(away, viewer.age);
    }
    const float quarters = std::floor(Decayed::Read(views, kHalfLife, now) * 4 + 0.5f);
    return {quarters / 4 + 1 / (1 + away), Decayed::Age(views, now)};
  }
  bool operator<(const Standing& other) const { return value != other.value ? value < other.value : age < other.age; }
};

uint64_t NameOf(const Key& key) {
  uint64_t hash =
      (uint64_t{key.id[1]} << 32 | key.id[0]) ^ (uint64_t{key.id[3]} << 32 | key.id[2]) * 0x9e3779b97f4a7c15ull;
  hash = (hash ^ (hash >> 32)) * 0xff51afd7ed558ccdull;
  hash ^= hash >> 29;
  return hash == 0 ? 1 : hash;
}

/** True once in `of` times, by chance. */
bool IsDrawn(uint64_t name, uint32_t block, double now, float of) {
  uint64_t mixed = (name ^ uint64_t{block} << 32 ^ TicksOf(now)) * 0x9e3779b97f4a7c15ull;
  mixed = (mixed ^ (mixed >> 32)) * 0xff51afd7ed558ccdull;
  return static_cast<float>(mixed >> 40) * of < 0x1p24f;
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
  Standing lowest = Standing::Of(*set, now);
  for (uint32_t way = 1; way < kDemandWays; way++) {
    const Standing standing = Standing::Of(set[way], now);
    if (!(standing < lowest)) continue;
    lowest = standing;
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

float Demand::Pace() const {
  const float pace = FloatOf(header_->pace.load(kRelaxed));
  return pace > 0 && pace <= kMaxPace ? pace : kUsualPace;
}

void Demand::See(const Key& key, double now) {
  const uint32_t block = Viewer::BlockOf(key);
  const uint64_t name = NameOf(key);
  ObjectDemand& object = FindOrTake(name, now);
  if (block > object.last.load(kRelaxed)) object.last.store(block, kRelaxed);
  std::atomic<uint64_t>* place = nullptr;
  std::atomic<uint64_t>* stalest = &object.viewers[0];
  float oldest = -1;
  bool isCrowded = true;
  float best = -1;
  Viewer same = {0, 0, 0, false};
  for (auto& word : object.viewers) {
    Viewer viewer;
    const bool there = Viewer::Decode(word.load(kRelaxed), now, &viewer);
    const float age = there ? viewer.age : std::numeric_limits<float>::infinity();
    if (age > oldest) {
      oldest = age;
      stalest = &word;
    }
    if (!there || viewer.Presence() <= 0) isCrowded = false;
    if (!there || !viewer.IsKnown() || viewer.block > block || block - viewer.block > kGap) continue;
    // Of several the one that is due here, then the one that is here, then the nearest.
    const uint32_t distance = block - viewer.block;
    const bool isDue = distance == 1 && viewer.age >= viewer.pace / 2;
    const float likely = isDue ? 2 : 1 / static_cast<float>(1 + distance);
    if (likely <= best) continue;
    best = likely;
    place = &word;
    same = viewer;
  }
  Viewer next = {block, Pace(), 0, false};
  if (place != nullptr) {
    next.pace = same.pace;
    if (block > same.block) {
      const float pace = std::min(kMaxPace, same.age / static_cast<float>(block - same.block));
      next.pace += (pace - next.pace) * kPaceShare;
      const float common = Pace();
      header_->pace.store(BitsOf(common + (pace - common) * kCommonPaceShare), kRelaxed);
    }
  } else if (!isCrowded || IsDrawn(name, block, now, RunLength())) {
    Begin(object, now);
    place = stalest;
  }
  if (place != nullptr) place->store(next.Encode(now), kRelaxed);
  Increment(header_->reached[ProfileGroup(block)]);
  const uint64_t reads = header_->reads.load(kRelaxed) + 1;
  header_->reads.store(reads, kRelaxed);
  if (reads < kProfileReads) return;
  header_->reads.store(reads / 2, kRelaxed);
  header_->begun.store(header_->begun.load(kRelaxed) / 2, kRelaxed);
  for (auto& count : header_->reached) count.store(count.load(kRelaxed) / 2, kRelaxed);
  for (auto& count : header_->offered) count.store(count.load(kRelaxed) / 2, kRelaxed);
}

void Demand::Finish(const Key& key) {
  ObjectDemand* object = Find(NameOf(key));
  if (object == nullptr) return;
  const uint32_t block = Viewer::BlockOf(key);
  for (auto& word : object->viewers) {
    Viewer viewer;
    const uint64_t found = word.load(kRelaxed);
    if (!Viewer::Decode(found, 0, &viewer) || viewer.block != block || viewer.isFinished) continue;
    word.store(found | Viewer::kFinished, kRelaxed);
    return;
  }
}

void Demand::Leave(const Key& key) {
  ObjectDemand* object = Find(NameOf(key));
  if (object == nullptr) return;
  const uint32_t block = Viewer::BlockOf(key);
  for (auto& word : object->viewers) {
    Viewer viewer;
    if (!Viewer::Decode(word.load(kRelaxed), 0, &viewer) || viewer.block != block) continue;
    word.store(0, kRelaxed);
    return;
  }
}

Moment Demand::At(double now) const {
  const float memory = Memory(kHalfLife, kShortest, now);
  const auto objects = static_cast<float>(std::max<uint64_t>(1, header_->objects.load(kRelaxed)));
  const float mean = Decayed::Read(header_->views.load(kRelaxed), kHalfLife, now) / memory / objects;
  return {now, memory, Memory(kLatelyHalfLife, kShortest, now), mean, 1 / RunLength()};
}

float Demand::RateOf(const ObjectDemand* object, uint32_t block, const Moment& moment) const {
  if (!(moment.mean > 0)) return 0;
  const double now = moment.now;
  const float views = object == nullptr ? 0 : Decayed::Read(object->views.load(kRelaxed), kHalfLife, now);
  float rate = (views + kPriorViews) / (moment.memory + kPriorViews / moment.mean);
  if (object != nullptr) {
    const float lately = Decayed::Read(object->lately.load(kRelaxed), kLatelyHalfLife, now);
    if (lately > kLatelyMin) rate = std::max(rate, (lately - kLatelyMin) / moment.lately);
    rate = std::min(rate, kSilence / std::max(1.0f, Decayed::Age(object->views.load(kRelaxed), now)));
  }
  const uint32_t group = ProfileGroup(block);
  const auto reached = static_cast<float>(header_->reached[group].load(kRelaxed));
  const auto offered = static_cast<float>(header_->offered[group].load(kRelaxed));
  const auto width = static_cast<float>(ProfileStart(group + 1) - ProfileStart(group));
  // Views may read a block more than once, but not much.
  return rate * std::min(2.0f, reached / (width * std::max(1.0f, offered)));
}

Expected Demand::Estimate(const Key& key, float seconds, const Moment& moment) const {
  const ObjectDemand* object = Find(NameOf(key));
  const uint32_t block = Viewer::BlockOf(key);
  const float rate = RateOf(object, block, moment);
  Expected expected = {0, rate, rate};
  if (object == nullptr) return expected;
  // Those on the way, by the time when they come.
  struct Coming {
    float time;
    float chance;
  } coming[kViewers];
  uint32_t count = 0;
  for (const auto& word : object->viewers) {
    Viewer viewer;
    if (!Viewer::Decode(word.load(kRelaxed), moment.now, &viewer) || viewer.block > block) continue;
    const float presence = viewer.Presence();
    if (presence <= 0) continue;
    if (viewer.block == block && viewer.isFinished) continue;
    if (viewer.block == block) {
      // It is being read, and a stalled player may go on reading it.
      expected.worth = std::numeric_limits<float>::infinity();
      expected.awaited = 1;
      continue;
    }
    const auto distance = static_cast<float>(block - viewer.block);
    const float chance = presence * PowerOfE(-distance * moment.leaving);
    const float time = std::max(distance * viewer.pace - viewer.age, std::max(0.01f, viewer.pace * kNearest));
    if (time <= seconds) expected.awaited += chance;
    uint32_t at = count++;
    for (; at > 0 && coming[at - 1].time > time; at--) coming[at] = coming[at - 1];
    coming[at] = {time, chance};
  }
  float uses = 0;
  float most = 0;
  for (uint32_t i = 0; i < count; i++) {
    uses += coming[i].chance;
    most = std::max(most, uses / coming[i].time);
  }
  expected.worth += most;
  return expected;
}

void Demand::Judge(Candidate* candidates, uint32_t count, const Moment& moment) const {
  for (uint32_t i = 0; i < count; i++) candidates[i].worth = Estimate(candidates[i].key, 0, moment).worth;
}

bool Demand::IsWorthRoom(const Key& key, Rivals* rivals, const Moment& moment) const {
  if (rivals->free >= kRoomy) return true;
  Judge(rivals->blocks, rivals->count, moment);
  const float worth = Estimate(key, 0, moment).worth;
  return std::any_of(rivals->blocks, rivals->blocks + rivals->count,
                     [&](const Candidate& rival) { return worth > kClearly * rival.worth; });
}

void Demand::Parted(float worth) {
  const float wait = worth * kLongestWait > 1 ? 1 / worth : kLongestWait;
  const float before = PartedWait();
  header_->wait.store(BitsOf(before > 0 ? before + (wait - before) * kCommonPaceShare : wait), kRelaxed);
}

float Demand::PartedWait() const {
  const float wait = FloatOf(header_->wait.load(kRelaxed));
  return wait > 0 && wait <= kLongestWait ? wait : 0;
}

uint64_t Demand::Objects() const { return std::min<uint64_t>(header_->objects.load(kRelaxed), uint64_t{mask_} + 1); }

void Demand::Evicted(uint32_t count, double now) {
  Decayed::Add(header_->evicted, static_cast<float>(count), kLatelyHalfLife, now);
}

float Demand::Residency(double now) const {
  const float evicted = Decayed::Read(header_->evicted.load(kRelaxed), kLatelyHalfLife, now);
  const float rate = evicted / Memory(kLatelyHalfLife, 1, now);
  return std::min(86400.0f, std::max(1.0f, static_cast<float>(slots_) / std::max(1e-6f, rate)));
}

}  // namespace shm
