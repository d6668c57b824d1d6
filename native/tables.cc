#include "tables.h"

#include <algorithm>

#include "big_endian.h"

namespace {

constexpr size_t kRun = 8;
constexpr size_t kChunkRun = 12;

/** Passes over entries and marks, so that no entry costs a division. */
class NextMark {
 public:
  NextMark(const Marks& marks, size_t from)
      : marks_(marks), index_(marks.stride == 0 ? marks.room : (from + marks.stride - 1) / marks.stride) {
    at_ = index_ < marks.room ? index_ * marks.stride : SIZE_MAX;
  }

  void Pass(size_t entry, double sum) {
    if (entry != at_) return;
    marks_.sums[index_++] = sum;
    at_ = index_ < marks_.room ? at_ + marks_.stride : SIZE_MAX;
  }

 private:
  const Marks& marks_;
  size_t index_;
  size_t at_;
};

/** Notes a sum before an entry that has a mark, if there is room for it. */
void Mark(const Marks& marks, size_t entry, double sum) {
  const size_t index = entry / marks.stride;
  if (index < marks.room) marks.sums[index] = sum;
}

}  // namespace

void SumRuns(const Entries& entries, RunSums* sums, const Marks& samples_before, const Marks& ticks_before) {
  RunSums sum = *sums;
  int32_t least = INT32_MAX, greatest = INT32_MIN;
  const size_t stride = samples_before.stride;
  for (size_t at = 0, entry = entries.from; entries.length - at >= kRun;) {
    if (stride != 0 && entry % stride == 0) {
      Mark(samples_before, entry, sum.samples);
      Mark(ticks_before, entry, sum.ticks);
    }
    // Up to the next mark.
    size_t left = (entries.length - at) / kRun;
    if (stride != 0) left = std::min(left, stride - entry % stride);
    uint64_t counted = 0;
    for (entry += left; left > 0; left--, at += kRun) {
      const uint32_t run = WordAt(entries.bytes + at);
      const auto value = static_cast<int32_t>(WordAt(entries.bytes + at + 4));
      counted += run;
      sum.ticks += static_cast<double>(run) * value;
      least = std::min(least, value);
      greatest = std::max(greatest, value);
    }
    sum.samples += static_cast<double>(counted);
  }
  if (least <= greatest) {
    sum.least = std::min(sum.least, static_cast<double>(least));
    sum.greatest = std::max(sum.greatest, static_cast<double>(greatest));
  }
  *sums = sum;
}

void SumOffsets(const Entries& entries, size_t size, OffsetSums* sums) {
  OffsetSums sum = *sums;
  size_t entry = entries.from;
  for (size_t at = 0; entries.length - at >= size; at += size, entry++) {
    const uint8_t* bytes = entries.bytes + at;
    const double offset = size == 8 ? WordAt(bytes) * 4294967296.0 + WordAt(bytes + 4) : WordAt(bytes);
    if (offset < sum.previous) sum.is_ordered = 0;
    sum.least = std::min(sum.least, offset);
    if (offset >= sum.greatest) {
      sum.greatest = offset;
      sum.last = static_cast<double>(entry + 1);
    }
    sum.previous = offset;
  }
  *sums = sum;
}

ChunkFault SumChunks(const Entries& entries, const ChunkRules& rules, ChunkSums* sums, const Marks& before) {
  ChunkSums sum = *sums;
  ChunkFault fault = ChunkFault::kNone;
  NextMark mark(before, entries.from);
  size_t entry = entries.from;
  for (size_t at = 0; entries.length - at >= kChunkRun; at += kChunkRun, entry++) {
    const uint8_t* bytes = entries.bytes + at;
    const double next = WordAt(bytes);
    if (entry == 0 ? next != 1 : next <= sum.open.first) {
      fault = ChunkFault::kDisorder;
    } else if (next > rules.chunks) {
      fault = ChunkFault::kPastEnd;
    } else if (entry > 0 && sum.open.per_chunk == 0) {
      fault = ChunkFault::kEmpty;
    }
    if (fault != ChunkFault::kNone) {
      sum.open.first = next;
      break;
    }
    if (sum.open.first <= rules.probe && rules.probe < next) {
      sum.found = static_cast<double>(entry) - 1;
      sum.found_end = next;
      sum.found_run = sum.open;
    }
    if (static_cast<double>(entry) == rules.count - 1) sum.closed = sum.open;
    sum.open.samples += (next - sum.open.first) * sum.open.per_chunk;
    sum.open.first = next;
    sum.open.per_chunk = WordAt(bytes + 4);
    sum.open.description = WordAt(bytes + 8);
    sum.largest = std::max(sum.largest, sum.open.per_chunk);
    mark.Pass(entry, sum.open.samples);
  }
  *sums = sum;
  return fault;
}

double SumSizes(const Entries& entries, double sum, const Marks& before) {
  NextMark mark(before, entries.from);
  size_t entry = entries.from;
  for (size_t at = 0; entries.length - at >= 4; at += 4, entry++) {
    mark.Pass(entry, sum);
    sum += WordAt(entries.bytes + at);
  }
  return sum;
}
