// Tests of the reading of tables of samples.

#include "../samples.h"

#include <cstdio>

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

}  // namespace

int main() {
  TestExpands();
  TestReadsWords();
  std::puts("ok");
  return 0;
}
