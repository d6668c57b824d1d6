#include "samples.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace {

/** Bytes of an entry of a table of runs. */
constexpr size_t kRun = 8;
/** Greatest number below which each whole number is one of JavaScript. */
constexpr double kWholeMax = 9007199254740992.0;

uint32_t WordAt(const uint8_t* bytes) {
  return static_cast<uint32_t>(bytes[0]) << 24 | static_cast<uint32_t>(bytes[1]) << 16 |
         static_cast<uint32_t>(bytes[2]) << 8 | bytes[3];
}

/** The lowest 32 bits of a whole number; 0 for what is none. */
uint32_t LowWord(double number) {
  if (!(std::fabs(number) < kWholeMax)) return 0;
  return static_cast<uint32_t>(static_cast<int64_t>(number));
}

}  // namespace

size_t SumSamples(const Samples& samples, size_t from, const SampleRules& rules, SampleSums* sums) {
  SampleSums sum = *sums;
  uint32_t fields = 0;
  uint32_t overflows = 0;
  bool is_open = false;
  const uint32_t shift = LowWord(rules.shift);
  size_t i = from;
  for (; i < samples.count; i++) {
    const int32_t composition = samples.compositions[i];
    const double presented = sum.time + composition + rules.delta;
    if (samples.flags[i] == kSyncSample) {
      if (presented >= rules.boundary) break;
      sum.syncs += 1;
      sum.key = presented;
    } else if (presented < sum.key) {
      is_open = true;
    }
    sum.begin = std::min(sum.begin, presented);
    const uint32_t duration = samples.durations[i];
    sum.end = std::max(sum.end, presented + duration);
    if (duration != rules.duration) fields |= kSampleDuration;
    if (samples.sizes[i] != rules.size) fields |= kSampleSize;
    if (composition != rules.shift) fields |= kSampleOffset;
    // The sign of a difference that does not fit is not that of what it is taken off.
    const auto offset = static_cast<uint32_t>(composition);
    overflows |= (offset ^ shift) & (offset ^ (offset - shift));
    sum.time += duration;
    sum.bytes += samples.sizes[i];
  }
  sum.fields = static_cast<double>(LowWord(sum.fields) | fields);
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
