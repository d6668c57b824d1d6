// Tests of the reading and summing up of tables of samples.

#include "../samples.h"

#include <algorithm>
#include <cstdio>
#include <limits>

#include "support.h"

using namespace test;

namespace {

std::vector<uint8_t> Words(const std::vector<uint32_t>& words) {
  std::vector<uint8_t> bytes;
  for (const uint32_t word : words) {
    for (int shift = 24; shift >= 0; shift -= 8) bytes.push_back(static_cast<uint8_t>(word >> shift));
  }
  return bytes;
}

/** Runs of any length, into any room: what one value after the other gives, and nothing beyond it. */
void TestExpands() {
  Random random(3);
  for (int round = 0; round < 3000; round++) {
    std::vector<uint32_t> entries, expected;
    const size_t from = random.Below(20);
    const size_t count = from + random.Below(300);
    expected.resize(from, 0xa5a5a5a5);
    for (uint32_t left = random.Below(40); left > 0; left--) {
      const uint32_t run = random.Below(8) == 0 ? 0xffffffff : random.Below(20);
      const auto value = static_cast<uint32_t>(random.Next());
      entries.insert(entries.end(), {run, value});
      for (uint32_t i = 0; i < run && expected.size() < count; i++) expected.push_back(value);
    }
    std::vector<uint8_t> bytes = Words(entries);
    // A part of an entry is none.
    bytes.resize(bytes.size() + random.Below(8));
    std::vector<uint32_t> values(count, 0xa5a5a5a5);
    CHECK_EQUAL(ExpandRuns(bytes.data(), bytes.size(), values.data(), from, count), expected.size());
    expected.resize(count, 0xa5a5a5a5);
    CHECK(values == expected);
  }
}

void TestReadsWords() {
  const std::vector<uint32_t> words = {0, 1, 0x01020304, 0xffffffff, 0x80000000};
  const std::vector<uint8_t> bytes = Words(words);
  std::vector<uint32_t> values(words.size());
  ReadWords(bytes.data(), values.data(), values.size());
  CHECK(values == words);
}

/** A sum that begins anew anywhere is the same, and stops at the sync samples at the boundary or behind it. */
void TestSums() {
  Random random(4);
  for (int round = 0; round < 3000; round++) {
    const size_t count = 1 + random.Below(50);
    std::vector<uint32_t> sizes(count), durations(count), flags(count);
    std::vector<int32_t> compositions(count);
    for (size_t i = 0; i < count; i++) {
      sizes[i] = random.Below(3) == 0 ? static_cast<uint32_t>(random.Next()) : 7;
      durations[i] = random.Below(3) == 0 ? random.Below(9) : 5;
      compositions[i] = static_cast<int32_t>(random.Below(12)) - 3;
      flags[i] = random.Below(4) == 0 ? kSyncSample : 0x01010000;
    }
    const Samples samples = {sizes.data(), durations.data(), compositions.data(), flags.data(), count};
    const SampleRules rules = {-2, -3, 5, 7, static_cast<double>(random.Below(200))};
    SampleSums sums = {0, 0, 1e9, 0, 0, 0, 0, 0, 0};
    std::vector<double> found(3 * random.Below(20));
    KeyList keys = {found.data(), found.size() / 3, 0};
    const size_t end = SumSamples(samples, 0, rules, &sums, &keys);
    std::vector<double> expected;
    SampleSums again = {0, 0, 1e9, 0, 0, 0, 0, 0, 0};
    double time = 0, bytes = 0, begin = 1e9, latest = 0, syncs = 0;
    uint32_t fields = 0;
    KeyList none = {nullptr, 0, 0};
    for (size_t i = 0; i < end; i++) {
      // One at a time: those behind it are not looked at.
      const Samples some = {sizes.data(), durations.data(), compositions.data(), flags.data(), i + 1};
      CHECK_EQUAL(SumSamples(some, i, rules, &again, &none), i + 1);
      const double presented = time + compositions[i] - 2;
      if (flags[i] == kSyncSample && expected.size() < found.size()) {
        expected.insert(expected.end(), {static_cast<double>(i), presented, static_cast<double>(sizes[i])});
      }
      begin = std::min(begin, presented);
      latest = std::max(latest, presented + durations[i]);
      time += durations[i];
      bytes += sizes[i];
      syncs += flags[i] == kSyncSample ? 1 : 0;
      fields |= (durations[i] != 5 ? kSampleDuration : 0) | (sizes[i] != 7 ? kSampleSize : 0) |
                (compositions[i] != -3 ? kSampleOffset : 0);
    }
    CHECK(end == count || (flags[end] == kSyncSample && time + compositions[end] - 2 >= rules.boundary));
    CHECK_EQUAL(keys.count, expected.size() / 3);
    found.resize(expected.size());
    CHECK(found == expected);
    CHECK(sums.time == time && sums.bytes == bytes && sums.begin == begin && sums.end == latest);
    CHECK(sums.syncs == syncs && sums.fields == fields && sums.overflows == 0);
    CHECK(std::equal(&sums.bytes, &sums.bytes + sizeof sums / sizeof(double), &again.bytes));
  }
}

/** Offsets and shifts whose difference does not fit are found, whatever the numbers are. */
void TestOverflows() {
  const int32_t offsets[] = {INT32_MIN, INT32_MIN + 1, -1, 0, 1, INT32_MAX};
  const double shifts[] = {-2147483648.0, -1, 0, 1, 2147483647.0};
  const uint32_t one = 1;
  KeyList none = {nullptr, 0, 0};
  for (const int32_t offset : offsets) {
    for (const double shift : shifts) {
      SampleSums sums = {};
      SumSamples({&one, &one, &offset, &one, 1}, 0, {0, shift, 1, 1, 0}, &sums, &none);
      const double difference = offset - shift;
      CHECK_EQUAL(sums.overflows, difference < INT32_MIN || difference > INT32_MAX ? 1 : 0);
    }
    for (const double odd :
         {1e300, -1e300, std::numeric_limits<double>::infinity(), std::numeric_limits<double>::quiet_NaN()}) {
      SampleSums sums = {odd, odd, odd, odd, odd, odd, odd, odd, odd};
      CHECK_EQUAL(SumSamples({&one, &one, &offset, &one, 1}, 0, {odd, odd, odd, odd, odd}, &sums, &none), 1);
    }
  }
}

}  // namespace

int main() {
  TestExpands();
  TestReadsWords();
  TestSums();
  TestOverflows();
  std::puts("ok");
  return 0;
}
