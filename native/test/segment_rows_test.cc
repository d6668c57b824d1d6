// Tests of the cutting of samples into segments.

#include "../segment_rows.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <limits>

#include "support.h"

using namespace test;

namespace {

/** Samples in columns. */
struct Track {
  std::vector<uint32_t> sizes, durations, flags;
  std::vector<int32_t> compositions;

  Samples Part(size_t from, size_t count) const {
    return {&sizes[from], &durations[from], &compositions[from], &flags[from], count};
  }
};

Track AnyTrack(Random& random, bool all_sync) {
  Track track;
  for (size_t left = 1 + random.Below(120); left > 0; left--) {
    track.sizes.push_back(random.Below(3) == 0 ? static_cast<uint32_t>(random.Next()) : 7);
    track.durations.push_back(random.Below(3) == 0 ? random.Below(9) : 5);
    track.compositions.push_back(static_cast<int32_t>(random.Below(12)) - 3);
    // Of a track all of whose samples are sync samples nobody looks at the flags.
    track.flags.push_back(!all_sync && random.Below(4) == 0 ? kSyncSample : 0x01010000);
  }
  if (!all_sync) track.flags[0] = kSyncSample;
  return track;
}

/** Rows and key frames as one sample after the other gives them. */
struct Expected {
  std::vector<Row> rows;
  std::vector<double> keys;
  double bytes = 0, time = 0, end = 0;
  bool is_open = false;
};

double NextBoundary(double second, const RowRules& rules, const std::vector<double>& places) {
  for (const double place : places) {
    if (place > second + 0.005) return place - 0.005;
  }
  const double later = std::max(std::floor((second + 0.005) / rules.length) + 1, std::ceil(rules.from / rules.length));
  return std::max(later, std::ceil(second / rules.length + 0.25)) * rules.length - 0.005;
}

Expected Model(const Track& track, const RowRules& rules, const std::vector<double>& places, double first) {
  Expected expected;
  double boundary = -std::numeric_limits<double>::infinity(), key = 0;
  uint32_t fields = 0;
  std::vector<Row> rows;
  std::vector<double> syncs_of;
  for (size_t i = 0; i < track.sizes.size(); i++) {
    const bool is_sync = rules.all_sync != 0 || track.flags[i] == kSyncSample;
    const double presented = expected.time + track.compositions[i] + rules.delta;
    if (i == 0 || (is_sync && presented >= boundary)) {
      rows.push_back({first + static_cast<double>(i), expected.time, presented, expected.bytes, 0});
      syncs_of.push_back(0);
      boundary = std::max(presented + 1, NextBoundary(presented / rules.timescale, rules, places) * rules.timescale);
      fields = 0;
    }
    if (is_sync && rules.all_sync == 0) {
      if (presented >= (expected.keys.empty() ? 0 : expected.keys[expected.keys.size() - 2] + 1)) {
        expected.keys.insert(expected.keys.end(),
                             {first + static_cast<double>(i), presented, static_cast<double>(track.sizes[i])});
      }
      syncs_of.back()++;
      key = presented;
    } else if (!is_sync && presented < key) {
      expected.is_open = true;
    }
    fields |= (track.durations[i] != rules.duration ? kSampleDuration : 0) |
              (track.sizes[i] != rules.size ? kSampleSize : 0) |
              (track.compositions[i] != rules.shift ? kSampleOffset : 0);
    rows.back().begin = std::min(rows.back().begin, presented);
    rows.back().fields = fields;
    expected.end = std::max(expected.end, presented + track.durations[i]);
    expected.time += track.durations[i];
    expected.bytes += track.sizes[i];
  }
  for (size_t i = 0; i < rows.size(); i++) {
    Row row = rows[i];
    row.begin = std::max(0.0, row.begin);
    if (syncs_of[i] > 1) row.fields = static_cast<uint32_t>(row.fields) | kSampleFlags;
    if (!expected.rows.empty() && row.begin <= expected.rows.back().begin) {
      Row& last = expected.rows.back();
      last.fields = static_cast<uint32_t>(last.fields) | static_cast<uint32_t>(row.fields) |
                    (rules.all_sync != 0 ? 0 : kSampleFlags);
    } else {
      expected.rows.push_back(row);
    }
  }
  return expected;
}

/** Columns with room for one row more. */
void Grow(std::vector<double>& numbers, size_t columns) {
  const size_t room = numbers.size() / columns;
  std::vector<double> grown(columns * (room + 1));
  for (size_t column = 0; column < columns; column++) {
    std::copy_n(numbers.begin() + static_cast<ptrdiff_t>(column * room), room,
                grown.begin() + static_cast<ptrdiff_t>(column * (room + 1)));
  }
  numbers = grown;
}

/** Any track, in parts of any length, into room that grows by a row: what the model says. */
void TestCuts() {
  Random random(4);
  for (int round = 0; round < 3000; round++) {
    const bool all_sync = random.Below(3) == 0;
    const Track track = AnyTrack(random, all_sync);
    std::vector<double> places;
    for (uint32_t left = random.Below(6); left > 0; left--) {
      places.push_back((places.empty() ? 0 : places.back()) + 0.5 * random.Below(20));
    }
    const double from = random.Below(3) == 0 ? std::numeric_limits<double>::infinity() : random.Below(30);
    const RowRules rules = {-2, -3, 5, 7, 10, all_sync ? 1.0 : 0.0, from, 0.5 + random.Below(12)};
    const double first = random.Below(50);
    const Expected expected = Model(track, rules, places, first);
    RowState state{};
    state.samples = first;
    std::vector<double> rows, keys;
    const auto columns = [](std::vector<double>& numbers, size_t count) {
      return Columns{numbers.data(), numbers.size() / count};
    };
    for (size_t at = 0; at < track.sizes.size();) {
      const size_t count = std::min<size_t>(track.sizes.size() - at, 1 + random.Below(40));
      for (size_t i = 0; i < count;) {
        i = CutRows(track.Part(at, count), i, rules, {places.data(), places.size()}, &state, columns(rows, kRowColumns),
                    columns(keys, kKeyColumns));
        if (i == count) break;
        if (state.rows * kRowColumns >= static_cast<double>(rows.size())) Grow(rows, kRowColumns);
        if (state.keys * kKeyColumns >= static_cast<double>(keys.size())) Grow(keys, kKeyColumns);
      }
      at += count;
    }
    while (!EndRows(rules, &state, columns(rows, kRowColumns))) Grow(rows, kRowColumns);
    CHECK_EQUAL(state.rows, expected.rows.size());
    CHECK_EQUAL(state.keys, expected.keys.size() / kKeyColumns);
    const size_t room = rows.size() / kRowColumns, key_room = keys.size() / kKeyColumns;
    for (size_t row = 0; row < expected.rows.size(); row++) {
      const Row& other = expected.rows[row];
      CHECK(rows[row] == other.first && rows[room + row] == other.time && rows[2 * room + row] == other.begin);
      CHECK(rows[3 * room + row] == other.bytes && rows[4 * room + row] == other.fields);
    }
    for (size_t i = 0; i < expected.keys.size(); i++) {
      CHECK(keys[i % kKeyColumns * key_room + i / kKeyColumns] == expected.keys[i]);
    }
    CHECK(state.bytes == expected.bytes && state.time == expected.time && state.end == expected.end);
    CHECK(state.samples == first + static_cast<double>(track.sizes.size()));
    CHECK((state.is_open != 0) == expected.is_open && state.overflows == 0);
  }
}

/** Offsets and shifts whose difference does not fit are found, whatever the numbers are. */
void TestOverflows() {
  const int32_t offsets[] = {INT32_MIN, INT32_MIN + 1, -1, 0, 1, INT32_MAX};
  const double shifts[] = {-2147483648.0, -1, 0, 1, 2147483647.0};
  const uint32_t one = 1;
  double rows[4 * kRowColumns], keys[4 * kKeyColumns];
  for (const int32_t offset : offsets) {
    for (const double shift : shifts) {
      RowState state{};
      CutRows({&one, &one, &offset, &one, 1}, 0, {0, shift, 1, 1, 1, 0, 0, 6}, {nullptr, 0}, &state, {rows, 4},
              {keys, 4});
      const double difference = offset - shift;
      CHECK_EQUAL(state.overflows, difference < INT32_MIN || difference > INT32_MAX ? 1 : 0);
    }
    for (const double odd :
         {1e300, -1e300, std::numeric_limits<double>::infinity(), std::numeric_limits<double>::quiet_NaN()}) {
      // What JavaScript has written over, as far as it can go wrong: nothing is written beyond the room.
      double numbers[sizeof(RowState) / sizeof(double)];
      std::fill(std::begin(numbers), std::end(numbers), odd);
      RowState state;
      std::memcpy(&state, numbers, sizeof state);
      CutRows({&one, &one, &offset, &kSyncSample, 1}, 0, {odd, odd, odd, odd, odd, odd, odd, odd}, {&odd, 1}, &state,
              {rows, 4}, {keys, 4});
      EndRows({odd, odd, odd, odd, odd, odd, odd, odd}, &state, {rows, 4});
    }
  }
}

}  // namespace

int main() {
  TestCuts();
  TestOverflows();
  std::puts("ok");
  return 0;
}
