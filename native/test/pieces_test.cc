// Tests of the gathering of pieces.

#include <algorithm>
#include <cstring>
#include <limits>

#include "../pieces.h"
#include "support.h"

using namespace test;

namespace {

/** Any pieces, run and room give the bytes that a look at each byte gives. */
void TestGathers() {
  Random random(7);
  std::vector<uint8_t> object(6000);
  for (auto& byte : object) byte = static_cast<uint8_t>(random.Next());
  for (int round = 0; round < 3000; round++) {
    std::vector<double> offsets, begins = {0};
    std::vector<uint8_t> whole;
    std::vector<size_t> places;
    for (size_t at = random.Below(300); at < object.size() && offsets.size() < 40; at += random.Below(200)) {
      const size_t bytes = std::min<size_t>(1 + random.Below(150), object.size() - at);
      offsets.push_back(static_cast<double>(at));
      for (size_t i = 0; i < bytes; i++) places.push_back(at + i);
      at += bytes;
      begins.push_back(static_cast<double>(places.size()));
    }
    if (places.empty()) continue;
    const Pieces pieces = {offsets.data(), begins.data(), offsets.size()};
    const size_t base = random.Below(6000);
    const size_t length = std::min<size_t>(random.Below(3000), object.size() - base);
    const size_t at = random.Below(static_cast<uint32_t>(places.size()));
    const size_t room = random.Below(2500);
    size_t expected = 0;
    while (expected < room && at + expected < places.size() && places[at + expected] >= base &&
           places[at + expected] < base + length) {
      expected++;
    }
    std::vector<uint8_t> target(room + 1, 0xa5);
    // A copy of just these bytes, so that a read beyond them is found out.
    const std::vector<uint8_t> run(object.begin() + static_cast<ptrdiff_t>(base),
                                   object.begin() + static_cast<ptrdiff_t>(base + length));
    CHECK_EQUAL(GatherPieces(pieces, static_cast<double>(at), run.data(), length, static_cast<double>(base),
                             target.data(), room),
                expected);
    for (size_t i = 0; i < expected; i++) CHECK_EQUAL(target[i], object[places[at + i]]);
    CHECK_EQUAL(target[room], 0xa5);
  }
}

/** Numbers that make no sense move no byte beyond the run and the target. */
void TestNonsense() {
  const double odd[] = {0,
                        -1,
                        0.5,
                        1,
                        63,
                        64,
                        1e9,
                        9007199254740993.0,
                        1e300,
                        -1e300,
                        std::numeric_limits<double>::infinity(),
                        -std::numeric_limits<double>::infinity(),
                        std::numeric_limits<double>::quiet_NaN(),
                        std::numeric_limits<double>::denorm_min()};
  const uint32_t kinds = sizeof odd / sizeof odd[0];
  Random random(8);
  for (int round = 0; round < 200000; round++) {
    const uint32_t count = random.Below(5);
    std::vector<double> offsets(count), begins(count + 1);
    for (auto& number : offsets) number = odd[random.Below(kinds)];
    for (auto& number : begins) number = odd[random.Below(kinds)];
    const std::vector<uint8_t> run(random.Below(80), 1);
    std::vector<uint8_t> target(random.Below(80));
    const size_t put = GatherPieces({offsets.data(), begins.data(), count}, odd[random.Below(kinds)], run.data(),
                                    run.size(), odd[random.Below(kinds)], target.data(), target.size());
    CHECK(put <= target.size());
  }
}

}  // namespace

int main() {
  TestGathers();
  TestNonsense();
  std::puts("ok");
  return 0;
}
