// Blocks as the disk tier stores them: read and verified, by any thread and beside a writer whose ring goes on.
// src/cache/disk/disk-record.ts draws what is stored.
#ifndef MOOVEDGE_STORED_BLOCKS_H_
#define MOOVEDGE_STORED_BLOCKS_H_

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "lmdb_file.h"
#include "shm_layout.h"

/** The blocks of one data file. Any number of threads may read at once. */
class StoredBlocks {
 public:
  /** What became of a read. */
  enum class Result : int { kFound = 1, kAbsent = 0, kWaits = -1, kDamaged = -2, kFailed = -3 };

  static constexpr size_t kSequenceBytes = 8;
  static constexpr size_t kBlockKeyBytes = 20;
  static constexpr size_t kKeyBytes = kSequenceBytes + kBlockKeyBytes;
  /** The sequence number, big-endian, and the key of the block. */
  struct Key {
    uint8_t bytes[kKeyBytes];
  };

  // Of a value.
  static constexpr uint32_t kMagic = 0x3142564d;
  static constexpr size_t kLengthAt = 4;
  static constexpr size_t kChecksumAt = 8;
  static constexpr size_t kKeyAt = 16;
  static constexpr size_t kDataAt = 48;

  /** Buffers begin at a page, as values do, so that whole pages are copied. */
  static constexpr size_t kPage = 4096;
  /** Bytes of a buffer before those of the block. */
  static constexpr size_t kHead = LmdbFile::kPageHead + kDataAt;
  /** Bytes of a buffer. */
  static constexpr size_t kStride = (kHead + shm::kBlockSize + kPage - 1) / kPage * kPage;

  /** @return whether it is a file of LMDB that can be read */
  bool Open(const char* path, const char* table);
  void Close();

  /**
   * Reads a block into `pages`, kStride bytes; found: it is what was written.
   * @param length bytes of the block, at least 1 and at most those of a whole one
   */
  Result Read(const Key& key, size_t length, bool mayWait, uint8_t* pages) const;
  /** Has the kernel read a block ahead. Found: it is in memory, or will be. */
  Result BringNear(const Key& key, size_t length, bool mayWait) const;

 private:
  /**
   * Where blocks were found last, so that the way through the trees is gone once for each. No more than a guess: the
   * ring goes on, so whoever reads there has to verify what it gets. All threads use it.
   */
  class Places {
   public:
    static constexpr uint64_t kNone = ~uint64_t{0};

    uint64_t Guess(const Key& key) const;
    /** Pages that are too far away for a word are not noted. */
    void Note(const Key& key, uint64_t offset);

   private:
    /** A power of two: blocks of 4 GiB, which follow each other by their sequence number. */
    static constexpr uint64_t kCount = 16384;
    /** Of a word the number of a page; what is above it tells sequence numbers apart. */
    static constexpr uint64_t kPageBits = 40;
    static constexpr uint64_t kPageMask = (uint64_t{1} << kPageBits) - 1;

    std::atomic<uint64_t> words_[kCount] = {};
  };

  LmdbFile file_;
  mutable Places places_;
};

#endif  // MOOVEDGE_STORED_BLOCKS_H_
