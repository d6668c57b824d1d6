// Tests of the gathering and scattering of pieces.

#include <algorithm>
#include <cstring>
#include <limits>

#include "../pieces.h"
#include "support.h"

using namespace test;

namespace {

/** What is told of places is what is put together, as far as there is room for places. */
void CheckScattered(const Pieces& pieces, double at, const std::vector<uint8_t>& run, double base, size_t most,
                    const uint8_t* expected, size_t bytes) {
  for (const size_t room : {size_t{0}, size_t{1}, size_t{3}, size_t{40}}) {
    std::vector<iovec> places(room);
    Scattered scattered = {places.data(), room, 0, 0};
    ScatterPieces(pieces, at, run.data(), run.size(), base, most, &scattered);
    CHECK(scattered.count <= room);
    CHECK(scattered.count == room ? scattered.bytes <= bytes : scattered.bytes == bytes);
    size_t told = 0;
    for (size_t i = 0; i < scattered.count; i++) {
      CHECK(places[i].iov_len > 0 && told + places[i].iov_len <= bytes);
      CHECK(std::memcmp(places[i].iov_base, expected + told, places[i].iov_len) == 0);
      told += places[i].iov_len;
    }
    CHECK_EQUAL(told, scattered.bytes);
  }
}

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
    CheckScattered(pieces, static_cast<double>(at), run, static_cast<double>(base), room, target.data(), expected);
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
    iovec places[4];
    Scattered scattered = {places, 4, 0, 0};
    ScatterPieces({offsets.data(), begins.data(), count}, odd[random.Below(kinds)], run.data(), run.size(),
                  odd[random.Below(kinds)], 50, &scattered);
    CHECK(scattered.bytes <= 50);
    for (size_t i = 0; i < scattered.count; i++) {
      const auto* place = static_cast<const uint8_t*>(places[i].iov_base);
      CHECK(place >= run.data() && place + places[i].iov_len <= run.data() + run.size());
    }
  }
}

}  // namespace

int main() {
  TestGathers();
  TestNonsense();
  std::puts("ok");
  return 0;
}
