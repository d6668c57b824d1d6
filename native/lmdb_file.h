// Where values lie in a data file of LMDB, and reads of them.
//
// LMDB maps its file: whoever touches what is not in memory waits for the disk, and a sector that can't be read ends
// the process. It tells nobody where a value lies. So its trees are followed here, by reads that can be told not to
// wait and that fail with a number. No reader is registered: pages may be used again while they are looked at. What is
// found is a place, nothing more, and whoever reads there has to recognize what it finds.
#ifndef MOOVEDGE_LMDB_FILE_H_
#define MOOVEDGE_LMDB_FILE_H_

#include <sys/types.h>

#include <cstddef>
#include <cstdint>

/** A data file that is open for reading. Any number of threads may read at once. */
class LmdbFile {
 public:
  /** What became of a look or a read; below zero a number of an error, such as -EAGAIN where it would have to wait. */
  static constexpr int kFound = 1;
  static constexpr int kAbsent = 0;

  LmdbFile() = default;
  ~LmdbFile() { Close(); }
  LmdbFile(const LmdbFile&) = delete;
  LmdbFile& operator=(const LmdbFile&) = delete;

  /** @param table whose values are looked for @return whether it is a file of LMDB that can be read */
  bool Open(const char* path, const char* table);
  void Close();

  /**
   * Finds the value of a key. One that is so small that it lies in its leaf counts as absent.
   * @param offset byte of the file at which the pages of the value begin; the value follows a head of kPageHead bytes
   */
  int Find(const uint8_t* key, size_t length, bool mayWait, uint64_t* offset) const;
  /** Reads exactly so many bytes. */
  int Read(uint64_t offset, uint8_t* to, size_t length, bool mayWait) const;
  /** Has the kernel read bytes ahead. */
  void WillNeed(uint64_t offset, size_t length) const;

  /** Bytes of the head of a page. */
  static constexpr size_t kPageHead = 24;

 private:
  struct Node;

  bool ReadPage(uint64_t number, bool mayWait, uint8_t* page, int* result) const;
  /** Root of the tree of tables, as last committed. */
  int FindMain(bool mayWait, uint64_t* root) const;
  /** Follows the tree from `root` to the leaf with the key. The node lies in `page`. */
  int Search(uint64_t root, const uint8_t* key, size_t length, bool mayWait, uint8_t* page, Node* node) const;

  int file_ = -1;
  size_t pageSize_ = 0;
  /** Flag of reads that may not wait. */
  long noWait_ = 0;
  char table_[32] = {};
};

#endif  // MOOVEDGE_LMDB_FILE_H_
