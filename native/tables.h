// Tables of MP4 files summed up as the seek index keeps them: a film of two hours has a million entries.
#ifndef MOOVEDGE_TABLES_H_
#define MOOVEDGE_TABLES_H_

#include <cstddef>
#include <cstdint>

/** Whole entries of a table that follow each other, as they stand in the file. */
struct Entries {
  const uint8_t* bytes;
  size_t length;
  /** Number of the first. */
  size_t from;
};

/** A sum before entries 0, `stride`, 2 × `stride` …; those for which there is no room are left out. */
struct Marks {
  double* sums;
  size_t room;
  size_t stride;
};

/** What entries of a count and a value come to (`stts`, `ctts`), in the order of src/media/mp4/table/run-table.ts. */
struct RunSums {
  double samples;
  double ticks;
  double least;
  double greatest;
};

/** Adds entries, of 8 bytes each. */
void SumRuns(const Entries& entries, RunSums* sums, const Marks& samples, const Marks& ticks);

/** What offsets of chunks come to; src/media/mp4/table/chunk-offset.ts has the same order. */
struct OffsetSums {
  double least;
  double greatest;
  /** Number from 1 of the chunk that has the greatest. */
  double last;
  /** Not 0 while no offset is less than the one before it. */
  double is_ordered;
  double previous;
};

/** Adds entries of 4 or 8 bytes. */
void SumOffsets(const Entries& entries, size_t size, OffsetSums* sums);

/** An entry of `stsc`: its first chunk, samples in each of its chunks, their description; samples before it. */
struct ChunkRun {
  double first;
  double per_chunk;
  double description;
  double samples;
};

/** What entries of `stsc` come to; src/media/mp4/table/stsc.ts has the same order. */
struct ChunkSums {
  /** The entry under way, and the one before the table's last. */
  ChunkRun open;
  ChunkRun closed;
  /** Most samples of a chunk. */
  double largest;
  /** The entry with the chunk that was asked for, and the first chunk after it; -1 while it has not been reached. */
  double found;
  double found_end;
  ChunkRun found_run;
};

/** What is known of the whole table. */
struct ChunkRules {
  /** Entries of the table. */
  double count;
  /** Chunks of the track. */
  double chunks;
  /** Number of the chunk that is asked for. */
  double probe;
};

/** Why entries of `stsc` are wrong; src/media/mp4/table/stsc.ts has the same numbers. */
enum class ChunkFault : uint32_t { kNone = 0, kDisorder = 1, kPastEnd = 2, kEmpty = 3 };

/** Adds entries, of 12 bytes each, up to the first wrong one; `open.first` then is what it says. */
ChunkFault SumChunks(const Entries& entries, const ChunkRules& rules, ChunkSums* sums, const Marks& before);

/** Adds entries of `stsz`, of 4 bytes each. Returns their sum after `sum`. */
double SumSizes(const Entries& entries, double sum, const Marks& before);

#endif  // MOOVEDGE_TABLES_H_
