// Tests of the summing up of tables: what one entry after the other gives, wherever chunks of them end.

#include "../tables.h"

#include <algorithm>
#include <cstdio>

#include "support.h"

using namespace test;

namespace {

constexpr size_t kStride = 4;

std::vector<uint8_t> Words(const std::vector<uint32_t>& words) {
  std::vector<uint8_t> bytes;
  for (const uint32_t word : words) {
    for (int shift = 24; shift >= 0; shift -= 8) bytes.push_back(static_cast<uint8_t>(word >> shift));
  }
  return bytes;
}

/** Calls `sum` with all entries, in chunks of random numbers of them. */
template <typename T>
void InChunks(Random& random, const std::vector<uint8_t>& bytes, size_t size, T sum) {
  for (size_t at = 0; at < bytes.size();) {
    const size_t length = std::min(bytes.size() - at, size * (1 + random.Below(7)));
    sum(Entries{bytes.data() + at, length, at / size});
    at += length;
  }
}

uint32_t Any(Random& random) { return random.Below(3) == 0 ? static_cast<uint32_t>(random.Next()) : random.Below(9); }

/** Room for fewer marks than there are, or for more: nothing is written beyond it. */
std::vector<double> Room(Random& random) { return std::vector<double>(random.Below(12), -7); }

void CheckMarks(const std::vector<double>& found, const std::vector<double>& before) {
  for (size_t i = 0; i < found.size(); i++) {
    const size_t entry = i * kStride;
    CHECK(found[i] == (entry < before.size() ? before[entry] : -7));
  }
}

void TestRuns() {
  Random random(11);
  for (int round = 0; round < 2000; round++) {
    std::vector<uint32_t> words(2 * random.Below(40));
    for (uint32_t& word : words) word = Any(random);
    std::vector<double> samples_room = Room(random), ticks_room = Room(random), samples, ticks;
    RunSums expected = {0, 0, 1e9, -1e10};
    for (size_t i = 0; i < words.size(); i += 2) {
      samples.push_back(expected.samples);
      ticks.push_back(expected.ticks);
      const auto value = static_cast<double>(static_cast<int32_t>(words[i + 1]));
      expected.samples += words[i];
      expected.ticks += words[i] * value;
      expected.least = std::min(expected.least, value);
      expected.greatest = std::max(expected.greatest, value);
    }
    RunSums sums = {0, 0, 1e9, -1e10};
    InChunks(random, Words(words), 8, [&](const Entries& entries) {
      SumRuns(entries, &sums, {samples_room.data(), samples_room.size(), kStride},
              {ticks_room.data(), ticks_room.size(), kStride});
    });
    CHECK(sums.samples == expected.samples && sums.ticks == expected.ticks);
    CHECK(sums.least == expected.least && sums.greatest == expected.greatest);
    CheckMarks(samples_room, samples);
    CheckMarks(ticks_room, ticks);
  }
}

void TestOffsets() {
  Random random(12);
  for (int round = 0; round < 2000; round++) {
    const size_t size = random.Below(2) == 0 ? 4 : 8;
    std::vector<uint32_t> words(size / 4 * random.Below(40));
    for (uint32_t& word : words) word = Any(random);
    OffsetSums expected = {1e19, -1, 0, 1, 0};
    for (size_t i = 0; i < words.size(); i += size / 4) {
      const double offset = size == 4 ? words[i] : words[i] * 4294967296.0 + words[i + 1];
      if (offset < expected.previous) expected.is_ordered = 0;
      expected.least = std::min(expected.least, offset);
      if (offset >= expected.greatest) expected.last = static_cast<double>(i / (size / 4) + 1);
      expected.greatest = std::max(expected.greatest, offset);
      expected.previous = offset;
    }
    OffsetSums sums = {1e19, -1, 0, 1, 0};
    InChunks(random, Words(words), size, [&](const Entries& entries) { SumOffsets(entries, size, &sums); });
    CHECK(sums.least == expected.least && sums.greatest == expected.greatest && sums.last == expected.last);
    CHECK(sums.is_ordered == expected.is_ordered && sums.previous == expected.previous);
  }
}

/** Entries in order, some of them wrong: the first wrong one is found, and the chunk that is sought before it. */
void TestChunks() {
  Random random(13);
  for (int round = 0; round < 3000; round++) {
    std::vector<uint32_t> words;
    for (uint32_t left = random.Below(30), chunk = 1; left > 0; left--, chunk += 1 + random.Below(5)) {
      const bool is_wrong = random.Below(60) == 0;
      words.insert(words.end(), {is_wrong ? random.Below(200) : chunk, random.Below(40) == 0 ? 0 : 1 + random.Below(9),
                                 1 + random.Below(2)});
    }
    const size_t count = words.size() / 3;
    const ChunkRules rules = {static_cast<double>(count), 100, static_cast<double>(1 + random.Below(60))};
    ChunkFault fault = ChunkFault::kNone;
    std::vector<double> before, room = Room(random);
    double samples = 0, largest = 0, found = -1, found_before = 0;
    for (size_t i = 0; i < count && fault == ChunkFault::kNone; i++) {
      const uint32_t* entry = words.data() + 3 * i;
      const uint32_t first = i == 0 ? 1 : entry[-3];
      if (i == 0 ? entry[0] != 1 : entry[0] <= first) {
        fault = ChunkFault::kDisorder;
      } else if (entry[0] > 100) {
        fault = ChunkFault::kPastEnd;
      } else if (i > 0 && entry[-2] == 0) {
        fault = ChunkFault::kEmpty;
      } else {
        if (i > 0 && first <= rules.probe && rules.probe < entry[0]) {
          found = static_cast<double>(i - 1);
          found_before = samples;
        }
        if (i > 0) samples += (entry[0] - first) * static_cast<double>(entry[-2]);
        largest = std::max<double>(largest, entry[1]);
        before.push_back(samples);
      }
    }
    ChunkSums sums = {};
    sums.open.first = 1;
    sums.found = -1;
    ChunkFault met = ChunkFault::kNone;
    InChunks(random, Words(words), 12, [&](const Entries& entries) {
      if (met == ChunkFault::kNone) met = SumChunks(entries, rules, &sums, {room.data(), room.size(), kStride});
    });
    CHECK(met == fault);
    CHECK(sums.open.samples == samples && sums.largest == largest && sums.found == found);
    if (found >= 0) CHECK(sums.found_run.samples == found_before);
    if (fault == ChunkFault::kNone && count > 1) CHECK(sums.closed.first == words[words.size() - 6]);
    CheckMarks(room, before);
  }
}

void TestSizes() {
  Random random(14);
  for (int round = 0; round < 1000; round++) {
    std::vector<uint32_t> words(random.Below(40));
    for (uint32_t& word : words) word = Any(random);
    std::vector<double> before, room = Room(random);
    double expected = 0, sum = 0;
    for (const uint32_t word : words) {
      before.push_back(expected);
      expected += word;
    }
    InChunks(random, Words(words), 4, [&](const Entries& entries) {
      sum = SumSizes(entries, sum, {room.data(), room.size(), kStride});
    });
    CHECK(sum == expected);
    CheckMarks(room, before);
  }
}

}  // namespace

int main() {
  TestRuns();
  TestOffsets();
  TestChunks();
  TestSizes();
  std::puts("ok");
  return 0;
}
