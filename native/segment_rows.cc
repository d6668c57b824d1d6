#include "segment_rows.h"

#include <algorithm>
#include <cmath>

namespace {

/** Seconds by which a sample may come before a boundary and still count as the first one after it. */
constexpr double kLatitude = 0.005;
/** Part of the length that a segment lasts at least, where key frames allow. */
constexpr double kLeast = 0.25;

/** Greatest number below which each whole number is one of JavaScript. */
constexpr double kWholeMax = 9007199254740992.0;
/** More ticks than any batch has, and few enough to add some. */
constexpr int64_t kFarAway = int64_t{1} << 62;

/** The lowest 32 bits of a whole number; 0 for what is none. */
uint32_t LowWord(double number) {
  if (!(std::fabs(number) < kWholeMax)) return 0;
  return static_cast<uint32_t>(static_cast<int64_t>(number));
}

/** The first whole tick at `ticks` or later. */
int64_t TicksAfter(double ticks) {
  if (!(ticks > -kWholeMax)) return -kFarAway;
  if (!(ticks < kWholeMax)) return kFarAway;
  return static_cast<int64_t>(std::ceil(ticks));
}

/** Numbers that JavaScript wrote may be anything. */
size_t ToSize(double number) { return number > 0 && number < kWholeMax ? static_cast<size_t>(number) : 0; }

/** Seconds of the first boundary after a moment, less the latitude. Moments rise. */
double BoundaryAfter(double second, const RowRules& rules, const Places& places, double* next) {
  const double moment = second + kLatitude;
  size_t place = ToSize(*next);
  while (place < places.count && places.seconds[place] <= moment) place++;
  *next = static_cast<double>(place);
  if (place < places.count) return places.seconds[place] - kLatitude;
  const double later = std::max(std::floor(moment / rules.length) + 1, std::ceil(rules.from / rules.length));
  return std::max(later, std::ceil(second / rules.length + kLeast)) * rules.length - kLatitude;
}

/**
 * Adds samples from `from` on to the row at hand, up to the sync sample that begins the next one, or that is to be
 * listed and finds no room. Returns its number, or `samples.count`.
 */
template <bool kAllSync>
size_t AddSamples(const Samples& samples, size_t from, const RowRules& rules, RowState* state, const Columns& keys) {
  // Times are whole ticks after that of the first sample here, which is what takes least time to add up; a duration has
  // 32 bits, and a batch less than 2^31 samples.
  const double origin = state->time + rules.delta;
  const int64_t boundary = TicksAfter(state->boundary - origin);
  const int64_t key_before = TicksAfter(state->key - origin);
  int64_t next_key = TicksAfter(state->next_key - origin);
  size_t listed = ToSize(state->keys);
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
    if (kAllSync) {
      if (presented >= boundary) break;
    } else if (samples.flags[i] == kSyncSample) {
      if (presented >= boundary) break;
      // Only those that are presented after all before them can be sought.
      if (presented >= next_key) {
        if (listed >= keys.room) break;
        keys.numbers[listed] = state->samples + static_cast<double>(i - from);
        keys.numbers[keys.room + listed] = origin + static_cast<double>(presented);
        keys.numbers[2 * keys.room + listed] = size;
        listed++;
        next_key = presented + 1;
      }
      syncs++;
      key = presented;
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
  Row& row = state->row;
  row.begin = std::min(row.begin, origin + static_cast<double>(begin));
  row.fields = static_cast<double>(LowWord(row.fields) | fields);
  state->samples += static_cast<double>(i - from);
  state->bytes += static_cast<double>(bytes);
  state->time += static_cast<double>(ticks);
  state->end = std::max(state->end, origin + static_cast<double>(end));
  if (key != key_before) state->key = origin + static_cast<double>(key);
  if (listed != ToSize(state->keys)) state->next_key = origin + static_cast<double>(next_key);
  state->keys = static_cast<double>(listed);
  state->syncs += static_cast<double>(syncs);
  if (is_open) state->is_open = 1;
  if (overflows >> 31 != 0) state->overflows = 1;
  return i;
}

/** Writes the row that is held; false when there is no room. */
bool WriteHeld(RowState* state, const Columns& rows) {
  if (state->has_held == 0) return true;
  const size_t at = ToSize(state->rows);
  if (at >= rows.room) return false;
  const Row& held = state->held;
  const double numbers[kRowColumns] = {held.first, held.time, held.begin, held.bytes, held.fields};
  for (size_t column = 0; column < kRowColumns; column++) rows.numbers[column * rows.room + at] = numbers[column];
  state->rows = static_cast<double>(at + 1);
  state->has_held = 0;
  return true;
}

/** Holds the row at hand; where it does not begin later than the one before, as a part of that. */
bool CloseRow(const RowRules& rules, RowState* state, const Columns& rows) {
  if (state->has_row == 0) return true;
  Row row = state->row;
  const bool all_sync = rules.all_sync != 0;
  row.begin = std::max(0.0, row.begin);
  if (state->syncs > 1 && !all_sync) row.fields = LowWord(row.fields) | kSampleFlags;
  if (state->has_held != 0 && row.begin <= state->held.begin) {
    state->held.fields = LowWord(state->held.fields) | LowWord(row.fields) | (all_sync ? 0 : kSampleFlags);
  } else {
    if (!WriteHeld(state, rows)) return false;
    state->held = row;
    state->has_held = 1;
  }
  state->has_row = 0;
  return true;
}

/** Begins a row with the next sample, which is presented at `presented`. */
void OpenRow(double presented, const RowRules& rules, const Places& places, RowState* state) {
  state->row = {state->samples, state->time, presented, state->bytes, 0};
  state->has_row = 1;
  state->syncs = 0;
  const double boundary = BoundaryAfter(presented / rules.timescale, rules, places, &state->place);
  state->boundary = std::max(presented + 1, boundary * rules.timescale);
}

}  // namespace

size_t CutRows(const Samples& samples, size_t from, const RowRules& rules, const Places& places, RowState* state,
               const Columns& rows, const Columns& keys) {
  const bool all_sync = rules.all_sync != 0;
  size_t i = from;
  while (i < samples.count) {
    const double presented = state->time + rules.delta + samples.compositions[i];
    const bool is_sync = all_sync || samples.flags[i] == kSyncSample;
    if (state->has_row == 0 || (is_sync && presented >= state->boundary)) {
      if (!CloseRow(rules, state, rows)) return i;
      OpenRow(presented, rules, places, state);
    }
    const size_t next =
        all_sync ? AddSamples<true>(samples, i, rules, state, keys) : AddSamples<false>(samples, i, rules, state, keys);
    // There is no room for a sync sample.
    if (next == i) return i;
    i = next;
  }
  return i;
}

bool EndRows(const RowRules& rules, RowState* state, const Columns& rows) {
  return CloseRow(rules, state, rows) && WriteHeld(state, rows);
}
