// Samples of a track cut into segments: a film of two hours has half a million samples in two thousand segments.
#ifndef MOOVEDGE_SEGMENT_ROWS_H_
#define MOOVEDGE_SEGMENT_ROWS_H_

#include <cstddef>
#include <cstdint>

/** `sample_flags` of a sample that depends on no other (ISO/IEC 14496-12 section 8.8.3.1). */
constexpr uint32_t kSyncSample = 0x02000000;
/** Flags of `trun`: fields that each sample has. */
constexpr uint32_t kSampleDuration = 0x100;
constexpr uint32_t kSampleSize = 0x200;
constexpr uint32_t kSampleFlags = 0x400;
constexpr uint32_t kSampleOffset = 0x800;

/** Samples that follow each other, in columns of `count`. */
struct Samples {
  const uint32_t* sizes;
  const uint32_t* durations;
  const int32_t* compositions;
  const uint32_t* flags;
  size_t count;
};

/** Where segments are to begin: at rising places, seconds, and then at multiples of a length. */
struct Places {
  const double* seconds;
  size_t count;
};

/** How samples become rows; src/media/packaging/segment-rows.ts says what each means, in the same order. */
struct RowRules {
  double delta;
  double shift;
  double duration;
  double size;
  double timescale;
  /** Not 0 when all samples are sync samples; their flags are not looked at, and none of them is listed. */
  double all_sync;
  /** Second from which on multiples of `length`, seconds, hold. */
  double from;
  double length;
};

/** A row: its first sample, decoding time, earliest presentation, bytes before it, fields of its samples. */
struct Row {
  double first;
  double time;
  double begin;
  double bytes;
  double fields;
};

/** What the samples so far come to; src/media/packaging/segment-rows.ts has the same order. Begins as zeros. */
struct RowState {
  double samples;
  double bytes;
  double time;
  double end;
  /** Not 0 when a sample is presented before the sync sample that it follows. */
  double is_open;
  /** Not 0 when a composition offset less the shift does not fit into 32 bits. */
  double overflows;
  /** Rows and sync samples written. */
  double rows;
  double keys;
  /** Presentation of the last sync sample, and the least one at which the next is listed. */
  double key;
  double next_key;
  /** The first of the places that has not been passed, and presentation from which on a sync sample begins a row. */
  double place;
  double boundary;
  /** The row at hand, its sync samples, and whether there is one. */
  Row row;
  double syncs;
  double has_row;
  /** The row before it, which may still turn out to be one with it, and whether there is one. */
  Row held;
  double has_held;
};

/** Room for `room` rows of so many numbers, one column after the other. */
struct Columns {
  double* numbers;
  size_t room;
};
/** Columns of rows, as `Row` has them, and of sync samples: number, presentation, bytes. */
constexpr size_t kRowColumns = 5;
constexpr size_t kKeyColumns = 3;

/**
 * Takes in samples from `from` on. Returns `samples.count`, or the number of the one to go on with when `rows` and
 * `keys` have more room.
 */
size_t CutRows(const Samples& samples, size_t from, const RowRules& rules, const Places& places, RowState* state,
               const Columns& rows, const Columns& keys);

/** Writes what is left when all samples have been taken in: two rows at most. False when there is no room. */
bool EndRows(const RowRules& rules, RowState* state, const Columns& rows);

#endif  // MOOVEDGE_SEGMENT_ROWS_H_
