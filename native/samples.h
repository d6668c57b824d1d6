// Tables of samples of MP4 files, read and summed up: a film of two hours has half a million samples.
#ifndef MOOVEDGE_SAMPLES_H_
#define MOOVEDGE_SAMPLES_H_

#include <cstddef>
#include <cstdint>

/** `sample_flags` of a sample that depends on no other (ISO/IEC 14496-12 section 8.8.3.1). */
constexpr uint32_t kSyncSample = 0x02000000;
/** Flags of `trun`: fields that each sample has. */
constexpr uint32_t kSampleDuration = 0x100;
constexpr uint32_t kSampleSize = 0x200;
constexpr uint32_t kSampleOffset = 0x800;

/** Samples that follow each other, in columns of `count`. */
struct Samples {
  const uint32_t* sizes;
  const uint32_t* durations;
  const int32_t* compositions;
  const uint32_t* flags;
  size_t count;
};

/** How samples are summed up; src/media/packaging/segment-rows.ts says what each means. */
struct SampleRules {
  double delta;
  double shift;
  double duration;
  double size;
  /** Presentation from which on a sync sample ends the summing. */
  double boundary;
};

/** What samples come to; src/media/packaging/segment-rows.ts has them in the same order. */
struct SampleSums {
  double bytes;
  double time;
  double begin;
  double end;
  double key;
  double fields;
  double syncs;
  /** Not 0 when a sample is presented before the sync sample that it follows. */
  double is_open;
  /** Not 0 when a composition offset less the shift does not fit into 32 bits. */
  double overflows;
};

/** Room for the sync samples that are come by; those past it are left out. */
struct KeyList {
  /** Of each its number, when it is presented, and its bytes. */
  double* numbers;
  size_t room;
  size_t count;

  void Add(size_t sample, double presented, uint32_t bytes) {
    if (count == room) return;
    double* key = numbers + 3 * count++;
    key[0] = static_cast<double>(sample);
    key[1] = presented;
    key[2] = bytes;
  }
};

/**
 * Adds samples from `from` on, up to the first that is not part of it, and their sync samples to `keys`. Returns the
 * number of that one, or `count`.
 */
size_t SumSamples(const Samples& samples, size_t from, const SampleRules& rules, SampleSums* sums, KeyList* keys);

/**
 * Writes the values of runs (`stts`, `ctts`: entries of a count and a value, big-endian) to `values` from `from` on, at
 * most up to `count`. Returns where they end.
 */
size_t ExpandRuns(const uint8_t* entries, size_t length, uint32_t* values, size_t from, size_t count);

/** Writes `count` big-endian words to `values`. */
void ReadWords(const uint8_t* words, uint32_t* values, size_t count);

#endif  // MOOVEDGE_SAMPLES_H_
