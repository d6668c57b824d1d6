#include "samples.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "big_endian.h"

namespace {

/** Bytes of an entry of a table of runs. */
constexpr size_t kRun = 8;
/** Greatest number below which each whole number is one of JavaScript. */
constexpr double kWholeMax = 9007199254740992.0;

/** The lowest 32 bits of a whole number; 0 for what is none. */
uint32_t LowWord(double number) {
  if (!(std::fabs(number) < kWholeMax)) return 0;
  return static_cast<uint32_t>(static_cast<int64_t>(number));
}

/** More ticks than any batch has, and few enough to add some. */
constexpr int64_t kFarAway = int64_t{1} << 62;

/** The first whole tick at `ticks` or later. */
int64_t TicksAfter(double ticks) {
  if (!(ticks > -kWholeMax)) return -kFarAway;
  if (!(ticks < kWholeMax)) return kFarAway;
  return static_cast<int64_t>(std::ceil(ticks));
}

}  // namespace

size_t SumSamples(const Samples& samples, size_t from, const SampleRules& rules, SampleSums* sums, KeyList* keys) {
  SampleSums sum = *sums;
  // Within a batch times are whole ticks after that of its first sample, which is what takes least time to add up; a
  // duration has 32 bits, and a batch less than 2^31 samples.
  const double origin = sum.time + rules.delta;
  const int64_t boundary = TicksAfter(rules.boundary - origin);
  const int64_t key_before = TicksAfter(sum.key - origin);
  int64_t key = key_before;
  int64_t begin = kFarAway;
  int64_t end = -kFarAway;
  int64_t ticks = 0;
  uint64_t bytes = 0;
  uint64_t syncs = 0;
  uint32_t differs_in_duration = 0;
  uint32_t differs_in_size = 0;
  uint32_t differs_in_offset = 0;
  uint32_t overflows = 0;
  bool is_open = false;
  const uint32_t shift = LowWord(rules.shift);
  const uint32_t usual_duration = LowWord(rules.duration);
  const uint32_t usual_size = LowWord(rules.size);
  size_t i = from;
  for (; i < samples.count; i++) {
    const int32_t composition = samples.compositions[i];
    const uint32_t duration = samples.durations[i];
    const uint32_t size = samples.sizes[i];
    const int64_t presented = ticks + composition;
    if (samples.flags[i] == kSyncSample) {
      if (presented >= boundary) break;
      syncs++;
      key = presented;
      keys->Add(i, origin + static_cast<double>(presented), size);
    } else {
      is_open |= presented < key;
    }
    begin = std::min(begin, presented);
    end = std::max(end, presented + duration);
    differs_in_duration |= duration ^ usual_duration;
    differs_in_size |= size ^ usual_size;
    // The sign of a difference that does not fit is not that of what it is taken off.
    const auto offset = static_cast<uint32_t>(composition);
    differs_in_offset |= offset ^ shift;
    overflows |= (offset ^ shift) & (offset ^ (offset - shift));
    ticks += duration;
    bytes += size;
  }
  if (i == from) return i;
  const uint32_t fields = (differs_in_duration != 0 ? kSampleDuration : 0) | (differs_in_size != 0 ? kSampleSize : 0) |
                          (differs_in_offset != 0 ? kSampleOffset : 0);
  sum.bytes += static_cast<double>(bytes);
  sum.time += static_cast<double>(ticks);
  sum.begin = std::min(sum.begin, origin + static_cast<double>(begin));
  sum.end = std::max(sum.end, origin + static_cast<double>(end));
  if (key != key_before) sum.key = origin + static_cast<double>(key);
  sum.fields = static_cast<double>(LowWord(sum.fields) | fields);
  sum.syncs += static_cast<double>(syncs);
  if (is_open) sum.is_open = 1;
  if (overflows >> 31 != 0) sum.overflows = 1;
  *sums = sum;
  return i;
}

size_t ExpandRuns(const uint8_t* entries, size_t length, uint32_t* values, size_t from, size_t count) {
  for (size_t at = 0; length - at >= kRun && from < count; at += kRun) {
    const size_t run = std::min<size_t>(WordAt(entries + at), count - from);
    const uint32_t value = WordAt(entries + at + 4);
    if (run == 1) {
      values[from] = value;
    } else {
      std::fill_n(values + from, run, value);
    }
    from += run;
  }
  return from;
}

void ReadWords(const uint8_t* words, uint32_t* values, size_t count) {
  for (size_t i = 0; i < count; i++) values[i] = WordAt(words + i * sizeof *values);
}
