// Tests of the estimate of demand, and of what is evicted by it.

#include <cmath>
#include <cstring>
#include <memory>
#include <vector>

#include "../shm_demand.h"
#include "support.h"

using namespace test;
using shm::Cache;
using shm::Demand;
using shm::Expected;
using shm::Key;

namespace {

/** A table of demand outside of any file. */
class Table {
 public:
  Table() {
    shm::Geometry geometry;
    CHECK(shm::MakeGeometry(uint64_t{1024} * shm::kBlockSize, &geometry));
    bytes_.assign(4096 + geometry.objectCount * sizeof(shm::ObjectDemand) + 64, 0);
    geometry.demand = 0;
    base_ = reinterpret_cast<uint8_t*>((reinterpret_cast<uintptr_t>(bytes_.data()) + 63) / 64 * 64);
    demand = Demand(base_, geometry);
    geometry_ = geometry;
  }
  size_t size() const { return bytes_.size() - 64; }
  uint8_t* base() { return base_; }
  void Reopen() { demand = Demand(base_, geometry_); }
  Demand demand;

 private:
  std::vector<uint8_t> bytes_;
  shm::Geometry geometry_;
  uint8_t* base_;
};

Key BlockOf(uint32_t object, uint32_t block) { return {{object * 2654435761u, object, 7, object ^ 99}, block}; }

void TestProfileGroups() {
  uint32_t before = 0;
  for (uint32_t block = 0; block < 100000; block++) {
    const uint32_t group = shm::ProfileGroup(block);
    CHECK(group == before || group == before + 1);
    CHECK(shm::ProfileStart(group) <= block && block < shm::ProfileStart(group + 1));
    before = group;
  }
  CHECK(shm::ProfileGroup(0xffffffff) < shm::kProfileGroups);
}

void TestViewersAhead() {
  Table table;
  Demand& demand = table.demand;
  // A viewer at a block each second: what lies before it is awaited, the sooner the more; what lies behind it is not.
  double now = 1000;
  for (uint32_t block = 0; block <= 20; block++) demand.See(BlockOf(1, block), now++);
  const auto awaited = [&](uint32_t block) { return demand.Estimate(BlockOf(1, block), 100, demand.At(now)).awaited; };
  const auto worth = [&](uint32_t block) { return demand.Estimate(BlockOf(1, block), 100, demand.At(now)).worth; };
  CHECK(awaited(20) == 1);
  CHECK(std::isinf(worth(20)));
  for (uint32_t block = 21; block < 200; block++) CHECK(worth(block) > worth(block + 1));
  for (uint32_t block = 21; block < 200; block++) CHECK(awaited(block) >= awaited(block + 1));
  CHECK(awaited(21) > 0.9f);
  // Who takes a second for a block and stays for hundreds does not come to the thousandth within a hundred seconds.
  CHECK(awaited(90) > 0.2f);
  CHECK(awaited(1000) < 0.01f);
  for (uint32_t block = 0; block < 20; block++) CHECK(awaited(block) == 0);
  CHECK(demand.Estimate(BlockOf(2, 21), 100, demand.At(now)).awaited == 0);
  // It has all of its block, and needs it no more; what follows is awaited as before.
  demand.Finish(BlockOf(1, 20));
  CHECK(awaited(20) == 0);
  CHECK(!std::isinf(worth(20)));
  CHECK(awaited(21) > 0.9f);
  // It leaves, and nothing is awaited any more.
  demand.Leave(BlockOf(1, 20));
  CHECK(awaited(21) == 0);
  // One that says nothing of itself for long has left, too.
  demand.See(BlockOf(1, 21), now);
  CHECK(awaited(22) > 0.9f);
  now += 60;
  CHECK(awaited(22) == 0);
}

/** What a block is worth grows with the viewers that come, and with how soon they come; nobody is counted twice. */
void TestWorth() {
  Table table;
  Demand& demand = table.demand;
  double now = 1000;
  const auto worth = [&](uint32_t object, uint32_t block) {
    return demand.Estimate(BlockOf(object, block), 0, demand.At(now)).worth;
  };
  // One viewer of object 1 at block 40; of object 2 one there and one at block 20, each at a block a second.
  for (uint32_t block = 0; block <= 40; block++) {
    demand.See(BlockOf(1, block), now);
    demand.See(BlockOf(2, block), now);
    if (block >= 20) demand.See(BlockOf(2, block - 20), now);
    now++;
  }
  CHECK(worth(2, 41) > worth(1, 41));
  for (uint32_t block = 21; block <= 39; block++) CHECK(worth(2, block) > 5 * worth(1, block));
  CHECK(worth(1, 45) < worth(1, 41) / 3);
  // Far away from both, two are worth less than twice of one: the second comes later.
  CHECK(worth(2, 100) > worth(1, 100));
  CHECK(worth(2, 100) < 2 * worth(1, 100));
}

/** More viewers than are followed: those that are not count as views all the same. */
void TestManyViewers() {
  Table table;
  Demand& demand = table.demand;
  double now = 1000;
  // A hundred viewers of one object and ten of another, each for twenty blocks at a time, in turn, and far from others.
  const auto read = [&](uint32_t object, uint32_t viewer, uint32_t round) {
    const uint32_t at = round + viewer % 20;
    const Key key = BlockOf(object, viewer * 1000 + at / 20 % 20 * 50 + at % 20);
    demand.See(key, now);
    if (at % 20 == 19) demand.Leave(key);
  };
  for (uint32_t round = 0; round < 400; round++) {
    for (uint32_t viewer = 0; viewer < 100; viewer++) read(1, viewer, round);
    for (uint32_t viewer = 0; viewer < 10; viewer++) read(2, viewer, round);
    now += 4;
  }
  const auto rate = [&](uint32_t object) { return demand.Estimate(BlockOf(object, 5), 100, demand.At(now)).rate; };
  CHECK(rate(1) > 5 * rate(2));
  CHECK(rate(1) < 20 * rate(2));
}

void TestRates() {
  Table table;
  Demand& demand = table.demand;
  double now = 1000;
  // Object 1 is watched ten times as often as others, all from the beginning and for 30 blocks.
  for (uint32_t view = 0; view < 400; view++) {
    const uint32_t object = view % 2 == 0 ? 1 : 100 + view % 20;
    for (uint32_t block = 0; block < 30; block++) demand.See(BlockOf(object, block), now);
    demand.Leave(BlockOf(object, 29));
    now += 10;
  }
  // Long enough for what was of late to count no more by itself, and not yet a silence.
  now += 100;
  const auto rate = [&](uint32_t object, uint32_t block) {
    return demand.Estimate(BlockOf(object, block), 100, demand.At(now)).rate;
  };
  // One view in 20 s: within a few per cent, since the table began 1,000 s before.
  CHECK(std::abs(rate(1, 3) * 5600 / 200 - 1) < 0.1f);
  CHECK(rate(1, 3) > 7 * rate(101, 3));
  CHECK(rate(101, 3) > 2 * rate(7777, 3));
  CHECK(rate(7777, 3) > 0);
  // Nobody comes further than 30 blocks.
  CHECK(rate(1, 60) < rate(1, 3) / 20);
  // An object of which nothing is heard for many times as long as between its views is over.
  now += 500;
  CHECK(rate(1, 3) < 4.1f / 600);
  // Half is forgotten in four hours.
  const float before = rate(1, 3);
  now += 4 * 3600;
  CHECK(rate(1, 3) < before * 0.7f);
}

/** Whoever asks for one block again and again is remembered, whatever many others ask for once. */
void TestFlood() {
  Table table;
  Demand& demand = table.demand;
  double now = 1000;
  uint32_t other = 100;
  for (uint32_t turn = 0; turn < 2000; turn++, now += 0.025) {
    demand.See(BlockOf(1, 0), now);
    for (uint32_t i = 0; i < 100; i++) {
      demand.See(BlockOf(other, 0), now);
      if (i % 2 == 0) demand.Leave(BlockOf(other, 0));
      other++;
    }
    CHECK(std::isinf(demand.Estimate(BlockOf(1, 0), 0, demand.At(now)).worth));
  }
}

void TestCrowd() {
  Table table;
  Demand& demand = table.demand;
  double now = 100000;
  for (uint32_t view = 0; view < 2000; view++) {
    demand.See(BlockOf(view % 500, 0), now);
    now += 10;
  }
  const Key first = BlockOf(9999, 0);
  const float before = demand.Estimate(first, 100, demand.At(now)).rate;
  // Ten players within ten seconds, of an object that nobody has asked for before.
  for (uint32_t view = 0; view < 10; view++) {
    demand.See(first, now);
    demand.Leave(first);
    now += 1;
  }
  CHECK(demand.Estimate(first, 100, demand.At(now)).rate > 100 * before);
}

void TestDamage() {
  Random random(5);
  Table table;
  for (uint32_t round = 0; round < 2000; round++) {
    for (size_t at = 0; at < 4096 + 64 * 128; at += 8) {
      const uint64_t word = random.Below(4) == 0 ? 0 : random.Next() >> random.Below(64);
      std::memcpy(table.base() + at, &word, sizeof word);
    }
    table.Reopen();
    for (uint32_t step = 0; step < 20; step++) {
      const Key key =
          BlockOf(random.Below(50), random.Below(3) == 0 ? static_cast<uint32_t>(random.Next()) : random.Below(100));
      const double now = random.Below(3) == 0 ? table.demand.Now() : random.Below(1 << 30);
      if (random.Below(2) == 0) table.demand.See(key, now);
      if (random.Below(4) == 0) table.demand.Finish(key);
      if (random.Below(4) == 0) table.demand.Leave(key);
      table.demand.Evicted(random.Below(100), now);
      const float residency = table.demand.Residency(now);
      CHECK(residency >= 1 && residency <= 86400);
      const Expected expected = table.demand.Estimate(key, residency, table.demand.At(now));
      CHECK(expected.awaited >= 0 && expected.awaited <= shm::kViewers);
      CHECK(expected.rate >= 0 && std::isfinite(expected.rate));
      CHECK(expected.worth >= expected.rate);
    }
  }
}

/** Fills a block of an object with a byte of content. */
void FillBlock(Cache& cache, const Key& key) {
  uint32_t fill, watermark;
  CHECK(cache.ClaimFill(key, 1, false, &fill, &watermark) == shm::Claim::kFilling);
  const uint8_t byte = 7;
  CHECK(cache.Append(fill, &byte, 1) == shm::AppendResult::kComplete);
}

void View(Cache& cache, const Key& key) {
  CHECK(cache.Acquire(key, true) > 0);
  cache.Release();
}

/** A table that began hours ago, so that one view is not many for its time. */
void Age(Cache& cache) {
  auto* header = reinterpret_cast<shm::DemandHeader*>(cache.file().base() + cache.file().geometry().demand);
  header->since.store(header->since.load() - 10000000);
}

/** What a viewer comes to next stays, although all else was used since: what a crawler reads once goes first. */
void TestEvictsWhatIsWantedLeast() {
  TemporaryFile file("demand");
  shm::CacheOptions options;
  options.notesDemand = true;
  Cache cache(options);
  cache.EvictByDemand(true);
  Open(cache, Supervisor(file.path(), 200));
  Age(cache);
  for (uint32_t view = 0; view < 10; view++) {
    for (uint32_t block = 0; block < 30; block++) {
      if (!cache.Has(BlockOf(1, block))) FillBlock(cache, BlockOf(1, block));
      View(cache, BlockOf(1, block));
    }
    cache.Leave(BlockOf(1, 29));
  }
  for (uint32_t block = 0; block < 5; block++) View(cache, BlockOf(1, block));
  for (uint32_t object = 10; object < 2000; object++) {
    FillBlock(cache, BlockOf(object, 0));
    View(cache, BlockOf(object, 0));
    cache.Leave(BlockOf(object, 0));
    cache.EvictAhead(100, {0xffffffff, 0, 0});
  }
  for (uint32_t block = 5; block < 12; block++) CHECK(cache.Has(BlockOf(1, block)));
  CheckInvariants(cache);
  // What the disk gets is what somebody will want again.
  const std::vector<shm::BlockName> all = cache.Coldest(500, {0, 0, 0}, 1000);
  const std::vector<shm::BlockName> some = cache.Coldest(500, {0, 500, 60}, 1000);
  CHECK(some.size() < all.size());
  for (const shm::BlockName& name : some) CHECK_EQUAL(name.key.id[1], 1);
  CheckInvariants(cache);
}

/** What is condemned stays when it is used before it goes. */
void TestReprieve() {
  TemporaryFile file("reprieve");
  shm::CacheOptions options;
  options.notesDemand = true;
  Cache cache(options);
  cache.EvictByDemand(true);
  Open(cache, Supervisor(file.path(), 64));
  for (uint32_t object = 0; object < 64; object++) FillBlock(cache, BlockOf(object, 0));
  const std::vector<shm::BlockName> condemned = cache.Coldest(100, {0, 0, 0}, 4);
  CHECK_EQUAL(condemned.size(), 4);
  for (const shm::BlockName& name : condemned) View(cache, name.key);
  CheckInvariants(cache);
  CHECK(cache.EvictAhead(100, {0xffffffff, 0, 0}) > 0);
  for (const shm::BlockName& name : condemned) CHECK(cache.Has(name.key));
  CheckInvariants(cache);
}

}  // namespace

int main() {
  TestProfileGroups();
  TestViewersAhead();
  TestWorth();
  TestManyViewers();
  TestRates();
  TestFlood();
  TestCrowd();
  TestDamage();
  TestEvictsWhatIsWantedLeast();
  TestReprieve();
  std::printf("demand tests passed\n");
  return 0;
}
