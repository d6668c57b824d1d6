// Tables of samples of MP4 files as columns: a film of two hours has half a million samples.
#ifndef MOOVEDGE_SAMPLES_H_
#define MOOVEDGE_SAMPLES_H_

#include <cstddef>
#include <cstdint>

/**
 * Writes the values of runs (`stts`, `ctts`: entries of a count and a value, big-endian) to `values` from `from` on, at
 * most up to `count`. Returns where they end.
 */
size_t ExpandRuns(const uint8_t* entries, size_t length, uint32_t* values, size_t from, size_t count);

/** Writes `count` big-endian words to `values`. */
void ReadWords(const uint8_t* words, uint32_t* values, size_t count);

#endif  // MOOVEDGE_SAMPLES_H_
