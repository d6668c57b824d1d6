// Files of LMDB for tests, made page by page; src/store/lmdb-file.ts draws them.
#ifndef MOOVEDGE_TEST_LMDB_PAGES_H_
#define MOOVEDGE_TEST_LMDB_PAGES_H_

#include <cstdint>
#include <cstring>
#include <fcntl.h>
#include <string>
#include <unistd.h>
#include <vector>

#include "../lmdb_file.h"
#include "support.h"

namespace test {

constexpr size_t kPageSize = 4096;
constexpr uint16_t kBranch = 1, kLeaf = 2, kMeta = 8;
constexpr uint16_t kBig = 1, kTable = 2;

template <typename T>
inline void Put(uint8_t* at, T value) {
  std::memcpy(at, &value, sizeof value);
}

/** A page being made: nodes are put in the order of their keys, from its end. */
class Page {
 public:
  Page(std::vector<uint8_t>& file, uint64_t number, uint16_t flags) : bytes_(file.data() + number * kPageSize) {
    Put(bytes_, number);
    Put(bytes_ + 18, flags);
  }
  void Add(uint64_t low, uint16_t flags, const std::string& key, const std::string& value) {
    const size_t size = (8 + key.size() + value.size() + 1) / 2 * 2;
    end_ -= size;
    Put(bytes_ + end_, static_cast<uint32_t>(low));
    Put(bytes_ + end_ + 4, flags);
    Put(bytes_ + end_ + 6, static_cast<uint16_t>(key.size()));
    std::memcpy(bytes_ + end_ + 8, key.data(), key.size());
    std::memcpy(bytes_ + end_ + 8 + key.size(), value.data(), value.size());
    Put(bytes_ + LmdbFile::kPageHead + 2 * count_++, static_cast<uint16_t>(end_ - LmdbFile::kPageHead));
    Put(bytes_ + 20, static_cast<uint16_t>(2 * count_));
  }

 private:
  uint8_t* bytes_;
  size_t end_ = kPageSize;
  size_t count_ = 0;
};

inline std::string WordOf(uint64_t word) { return std::string(reinterpret_cast<const char*>(&word), sizeof word); }

/** Both pages of meta, and the tree of tables at page `tables`, with one table whose root is another page. */
inline void PutTables(std::vector<uint8_t>& file, uint64_t tables, const std::string& name, uint64_t root) {
  for (uint64_t page = 0; page < 2; page++) {
    uint8_t* meta = file.data() + page * kPageSize;
    Put(meta, page);
    Put(meta + 18, kMeta);
    Put(meta + 24, uint32_t{0xbeefc0de});
    Put(meta + 48, static_cast<uint32_t>(kPageSize));
    // The older of the two leads nowhere.
    Put(meta + 136, page == 1 ? tables : uint64_t{77});
    Put(meta + 152, page + 5);
  }
  Page(file, tables, kLeaf).Add(48, kTable, name, std::string(40, '\0') + WordOf(root));
}

inline void Write(const std::string& path, const std::vector<uint8_t>& bytes, size_t length) {
  const int fd = open(path.c_str(), O_RDWR | O_CREAT, 0600);
  CHECK(fd >= 0 && ftruncate(fd, static_cast<off_t>(length)) == 0);
  CHECK_EQUAL(pwrite(fd, bytes.data(), length, 0), length);
  close(fd);
}

}  // namespace test

#endif  // MOOVEDGE_TEST_LMDB_PAGES_H_
