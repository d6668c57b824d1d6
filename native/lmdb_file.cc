#include "lmdb_file.h"

#include <endian.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#if __BYTE_ORDER != __LITTLE_ENDIAN
#error "LMDB's numbers are those of the machine, and are read as little-endian here"
#endif

namespace {

// Of a meta page; src/store/lmdb-file.ts draws it.
constexpr uint32_t kMagic = 0xbeefc0de;
constexpr size_t kMetaBytes = 160;
constexpr size_t kMetaMagic = 24;
constexpr size_t kMetaPageSize = 48;
constexpr size_t kMetaMain = 136;
constexpr size_t kMetaTransaction = 152;
constexpr uint64_t kNoPage = ~uint64_t{0};

// Of any page: its number, u64; flags, u16; bytes of the list of nodes, u16; behind the head the list, a u16 for each
// in order of keys: where the node begins, counted from the end of the head.
constexpr size_t kFlags = 18;
constexpr size_t kLower = 20;
constexpr uint16_t kBranch = 1;
constexpr uint16_t kLeaf = 2;

// Of a node: u16 and u16, low and high part of the size of a value; u16 flags; u16 size of the key; the key; the value.
// In a branch, the first three are the number of a page.
constexpr size_t kNodeHead = 8;
/** The value is the number of the page at which it begins, u64. */
constexpr uint16_t kBig = 1;
/** The value is a table, whose root is at this byte of it. */
constexpr uint16_t kTable = 2;
constexpr size_t kTableRoot = 40;

/** Nothing deeper than this is a tree. */
constexpr int kDeepest = 16;
constexpr size_t kMaxPage = 65536;

template <typename T>
T Get(const uint8_t* at) {
  T value;
  std::memcpy(&value, at, sizeof value);
  return value;
}

}  // namespace

struct LmdbFile::Node {
  uint16_t flags;
  const uint8_t* key;
  size_t keyLength;
  /** What follows the key, and how many bytes of the page there are from there on. */
  const uint8_t* value;
  size_t room;
  uint64_t child;

  /** False when it leaves the page. */
  bool Take(const uint8_t* page, size_t pageSize, size_t index) {
    const size_t at = kPageHead + Get<uint16_t>(page + kPageHead + 2 * index);
    if (at + kNodeHead > pageSize) return false;
    flags = Get<uint16_t>(page + at + 4);
    keyLength = Get<uint16_t>(page + at + 6);
    key = page + at + kNodeHead;
    if (at + kNodeHead + keyLength > pageSize) return false;
    value = key + keyLength;
    room = pageSize - (at + kNodeHead + keyLength);
    child = uint64_t{Get<uint32_t>(page + at)} | uint64_t{flags} << 32;
    return true;
  }

  int Compare(const uint8_t* other, size_t length) const {
    const int order = std::memcmp(other, key, std::min(length, keyLength));
    if (order != 0) return order;
    return length < keyLength ? -1 : length > keyLength;
  }
};

bool LmdbFile::Open(const char* path, const char* table) {
  Close();
  if (std::strlen(table) >= sizeof table_) return false;
  std::strcpy(table_, table);
  file_ = open(path, O_RDONLY | O_CLOEXEC);
  uint8_t meta[kMetaBytes];
  if (file_ < 0 || Read(0, meta, sizeof meta, true) != kFound || Get<uint32_t>(meta + kMetaMagic) != kMagic) {
    Close();
    return false;
  }
  // Files in memory know no such reads, and need none.
  struct statfs where;
  noWait_ = fstatfs(file_, &where) == 0 && where.f_type == TMPFS_MAGIC ? 0 : RWF_NOWAIT;
  pageSize_ = Get<uint32_t>(meta + kMetaPageSize);
  if (pageSize_ >= 512 && pageSize_ <= kMaxPage && (pageSize_ & (pageSize_ - 1)) == 0) return true;
  Close();
  return false;
}

void LmdbFile::Close() {
  if (file_ >= 0) close(file_);
  file_ = -1;
}

int LmdbFile::Read(uint64_t offset, uint8_t* to, size_t length, bool mayWait) const {
  if (offset > uint64_t{INT64_MAX} - length) return -EBADMSG;
  while (length > 0) {
    const iovec vector = {to, length};
    // By its number, since not every C library has it; the second half of the offset is for processors of 32 bits.
    const ssize_t count = syscall(SYS_preadv2, file_, &vector, 1L, offset, 0L, mayWait ? 0L : noWait_);
    if (count < 0) {
      if (errno == EINTR) continue;
      return -errno;
    }
    // Past the end of the file. Where it may not wait, a part may be what is in memory.
    if (count == 0) return -EBADMSG;
    if (!mayWait && static_cast<size_t>(count) < length) return -EAGAIN;
    to += count;
    offset += static_cast<uint64_t>(count);
    length -= static_cast<size_t>(count);
  }
  return kFound;
}

void LmdbFile::WillNeed(uint64_t offset, size_t length) const {
  posix_fadvise(file_, static_cast<off_t>(offset), static_cast<off_t>(length), POSIX_FADV_WILLNEED);
}

int LmdbFile::FindMain(bool mayWait, uint64_t* root) const {
  uint64_t newest = 0;
  *root = kNoPage;
  for (size_t page = 0; page < 2; page++) {
    uint8_t meta[kMetaBytes];
    const int result = Read(page * pageSize_, meta, sizeof meta, mayWait);
    if (result != kFound) return result;
    const uint64_t transaction = Get<uint64_t>(meta + kMetaTransaction);
    if (Get<uint32_t>(meta + kMetaMagic) != kMagic || transaction < newest) continue;
    newest = transaction;
    *root = Get<uint64_t>(meta + kMetaMain);
  }
  return kFound;
}

bool LmdbFile::ReadPage(uint64_t number, bool mayWait, uint8_t* page, int* result) const {
  if (number > static_cast<uint64_t>(INT64_MAX) / pageSize_ - 1) {
    *result = -EBADMSG;
    return false;
  }
  *result = Read(number * pageSize_, page, pageSize_, mayWait);
  if (*result != kFound) return false;
  if (Get<uint64_t>(page) == number) return true;
  *result = -EBADMSG;
  return false;
}

int LmdbFile::Search(uint64_t root, const uint8_t* key, size_t length, bool mayWait, uint8_t* page, Node* node) const {
  if (root == kNoPage) return kAbsent;
  for (int depth = 0; depth < kDeepest; depth++) {
    int result;
    if (!ReadPage(root, mayWait, page, &result)) return result;
    const auto flags = Get<uint16_t>(page + kFlags);
    const size_t count = Get<uint16_t>(page + kLower) / 2;
    const bool isLeaf = (flags & kLeaf) != 0;
    if (isLeaf == ((flags & kBranch) != 0) || kPageHead + 2 * count > pageSize_) return -EBADMSG;
    // The last node whose key is not above the one that is looked for. The first of a branch has no key, and is below
    // all.
    size_t low = isLeaf ? 0 : 1;
    for (size_t high = count; low < high;) {
      const size_t middle = (low + high) / 2;
      if (!node->Take(page, pageSize_, middle)) return -EBADMSG;
      if (node->Compare(key, length) >= 0) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    if (low == 0 || count == 0) return isLeaf ? kAbsent : -EBADMSG;
    if (!node->Take(page, pageSize_, low - 1)) return -EBADMSG;
    if (isLeaf) return node->Compare(key, length) == 0 ? kFound : kAbsent;
    root = node->child;
  }
  return -EBADMSG;
}

int LmdbFile::Find(const uint8_t* key, size_t length, bool mayWait, uint64_t* offset) const {
  alignas(8) uint8_t page[kMaxPage];
  Node node;
  uint64_t root;
  int result = FindMain(mayWait, &root);
  if (result != kFound) return result;
  // lmdb-js ends the names of tables with a zero.
  result = Search(root, reinterpret_cast<const uint8_t*>(table_), std::strlen(table_) + 1, mayWait, page, &node);
  if (result != kFound) return result;
  if ((node.flags & kTable) == 0 || node.room < kTableRoot + sizeof(uint64_t)) return -EBADMSG;
  result = Search(Get<uint64_t>(node.value + kTableRoot), key, length, mayWait, page, &node);
  if (result != kFound) return result;
  if ((node.flags & kBig) == 0) return kAbsent;
  if (node.room < sizeof(uint64_t)) return -EBADMSG;
  const auto first = Get<uint64_t>(node.value);
  if (first > static_cast<uint64_t>(INT64_MAX) / pageSize_ - 1) return -EBADMSG;
  *offset = first * pageSize_;
  return kFound;
}
