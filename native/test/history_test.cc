// Tests of the views that are remembered of blocks which are not in memory any more.

#include <cstring>
#include <vector>

#include "../shm_history.h"
#include "support.h"

using namespace test;
using shm::Cache;
using shm::History;
using shm::Key;

namespace {

/** A table outside of any file, for 1,024 slots. */
class Table {
 public:
  Table() {
    shm::Geometry geometry;
    CHECK(shm::MakeGeometry(uint64_t{1024} * shm::kBlockSize, &geometry));
    geometry.history = 0;
    sets = std::vector<shm::HistorySet>(geometry.historyCount);
    history = History(reinterpret_cast<uint8_t*>(sets.data()), geometry);
  }
  std::vector<shm::HistorySet> sets;
  History history{nullptr, {}};
};

uint64_t HashOf(uint64_t number) { return shm::HashKey(KeyOf(static_cast<uint32_t>(number)), 12345); }

void TestRemembers() {
  Table table;
  for (uint32_t number = 0; number < 4000; number++) table.history.Note(HashOf(number), 1 + number % 300);
  uint32_t known = 0;
  for (uint32_t number = 0; number < 4000; number++) {
    const uint32_t views = table.history.Take(HashOf(number));
    if (views == std::min<uint32_t>(255, 1 + number % 300)) known++;
    // It goes on in the block's slot.
    CHECK_EQUAL(table.history.Take(HashOf(number)), 0);
  }
  CHECK(known > 3990);
  CHECK_EQUAL(table.history.Take(HashOf(9999)), 0);
  // What nobody has viewed takes nobody's place.
  table.history.Note(HashOf(5), 0);
  for (const shm::HistorySet& set : table.sets)
    for (const auto& word : set.words) CHECK_EQUAL(word.load(), 0);
}

/** A crawler that reads each block once takes the places of blocks that were viewed once, and hits fade in the end. */
void TestScan() {
  Table table;
  for (uint32_t number = 0; number < 1000; number++) table.history.Note(HashOf(number), 20);
  const auto left = [&] {
    uint32_t known = 0;
    for (uint32_t number = 0; number < 1000; number++) {
      const uint32_t views = table.history.Take(HashOf(number));
      if (views > 1) known++;
      table.history.Note(HashOf(number), views);
    }
    return known;
  };
  for (uint32_t number = 10000; number < 25000; number++) table.history.Note(HashOf(number), 1);
  CHECK(left() > 950);
  for (uint32_t number = 30000; number < 400000; number++) table.history.Note(HashOf(number), 1);
  CHECK(left() < 200);
}

void TestDamage() {
  Random random(3);
  Table table;
  for (uint32_t round = 0; round < 200; round++) {
    for (shm::HistorySet& set : table.sets)
      for (auto& word : set.words) word.store(static_cast<uint32_t>(random.Next()));
    for (uint32_t step = 0; step < 500; step++) {
      table.history.Note(random.Next(), static_cast<uint32_t>(random.Next()));
      CHECK(table.history.Take(random.Next()) <= 255);
    }
  }
}

/** A block that is read again after it went has the views that it had, also in a file of another size. */
void TestOutlivesEviction() {
  TemporaryFile file("history");
  {
    Cache cache({});
    Open(cache, Supervisor(file.path(), 64));
    for (uint32_t time = 0; time < 2; time++) {
      for (uint32_t number = 0; number < 300; number++) {
        uint32_t fill, watermark;
        const Key key = KeyOf(number);
        if (cache.ClaimFill(key, 1, false, &fill, &watermark) == shm::Claim::kFilling) {
          const uint8_t byte = 7;
          CHECK(cache.Append(fill, &byte, 1) == shm::AppendResult::kComplete);
        }
        CHECK(cache.Acquire(key, true) == 1);
        cache.Release();
      }
      const size_t twice = cache.Coldest(500, {2, 0, 0}, 1000).size();
      CHECK_EQUAL(twice, time == 0 ? 0 : cache.Coldest(500, {0, 0, 0}, 1000).size());
    }
    CheckInvariants(cache);
  }
  Cache larger({});
  Open(larger, Supervisor(file.path(), 300));
  uint32_t fill, watermark;
  const uint8_t byte = 7;
  CHECK(larger.ClaimFill(KeyOf(10), 1, false, &fill, &watermark) == shm::Claim::kFilling);
  CHECK(larger.Append(fill, &byte, 1) == shm::AppendResult::kComplete);
  larger.EvictAhead(1000, {0xffffffff, 0, 0});
  CHECK(!larger.Coldest(1000, {2, 0, 0}, 1000).empty());
  CheckInvariants(larger);
}

}  // namespace

int main() {
  TestRemembers();
  TestScan();
  TestDamage();
  TestOutlivesEviction();
  std::printf("history tests passed\n");
  return 0;
}
