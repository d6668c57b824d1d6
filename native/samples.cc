#include "samples.h"

#include <algorithm>

#include "big_endian.h"

namespace {

/** Bytes of an entry of a table of runs. */
constexpr size_t kRun = 8;

}  // namespace

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
