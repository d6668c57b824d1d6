#include "stored_blocks.h"

#include <endian.h>

#include <cerrno>
#include <cstring>

#include "shm_crc.h"

namespace {

using Key = StoredBlocks::Key;
using Result = StoredBlocks::Result;

Result ResultOf(int found) {
  switch (found) {
    case LmdbFile::kFound:
      return Result::kFound;
    case LmdbFile::kAbsent:
      return Result::kAbsent;
    case -EAGAIN:
    // Reads that do not wait are not known to every filesystem.
    case -EOPNOTSUPP:
    case -ENOSYS:
    case -EINVAL:
      return Result::kWaits;
    default:
      return Result::kFailed;
  }
}

bool IsRight(const uint8_t* pages, const Key& key, size_t length) {
  const uint8_t* value = pages + LmdbFile::kPageHead;
  uint32_t magic, stored, checksum;
  std::memcpy(&magic, value, sizeof magic);
  std::memcpy(&stored, value + StoredBlocks::kLengthAt, sizeof stored);
  std::memcpy(&checksum, value + StoredBlocks::kChecksumAt, sizeof checksum);
  return magic == StoredBlocks::kMagic && stored == length &&
         std::memcmp(value + StoredBlocks::kKeyAt, key.bytes + StoredBlocks::kSequenceBytes,
                     StoredBlocks::kBlockKeyBytes) == 0 &&
         shm::Crc32c(0, value + StoredBlocks::kDataAt, length) == checksum;
}

uint64_t SequenceOf(const Key& key) {
  uint64_t sequence;
  std::memcpy(&sequence, key.bytes, sizeof sequence);
  return be64toh(sequence);
}

}  // namespace

// Each word is whole by itself, and what it leads to is verified: no order beside other memory is needed.

uint64_t StoredBlocks::Places::Guess(const Key& key) const {
  const uint64_t sequence = SequenceOf(key);
  const uint64_t word = words_[sequence % kCount].load(std::memory_order_relaxed);
  const uint64_t tag = sequence / kCount & (~uint64_t{0} >> kPageBits);
  return word != 0 && word >> kPageBits == tag ? (word & kPageMask) * kPage : kNone;
}

void StoredBlocks::Places::Note(const Key& key, uint64_t offset) {
  const uint64_t sequence = SequenceOf(key);
  if (offset % kPage != 0 || offset / kPage > kPageMask) return;
  // Bits of the tag that do not fit fall off.
  const uint64_t word = sequence / kCount << kPageBits | offset / kPage;
  words_[sequence % kCount].store(word, std::memory_order_relaxed);
}

bool StoredBlocks::Open(const char* path, const char* table) { return file_.Open(path, table); }

void StoredBlocks::Close() { file_.Close(); }

Result StoredBlocks::Read(const Key& key, size_t length, bool mayWait, uint8_t* pages) const {
  const uint64_t guess = places_.Guess(key);
  if (guess != Places::kNone) {
    const int found = file_.Read(guess, pages, kHead + length, mayWait);
    if (found == LmdbFile::kFound && IsRight(pages, key, length)) return Result::kFound;
  }
  uint64_t before = ~uint64_t{0};
  for (int attempt = 0; attempt < 4; attempt++) {
    uint64_t offset;
    int found = file_.Find(key.bytes, kKeyBytes, mayWait, &offset);
    if (found == LmdbFile::kFound) {
      found = file_.Read(offset, pages, kHead + length, mayWait);
      if (found == LmdbFile::kFound && IsRight(pages, key, length)) {
        places_.Note(key, offset);
        return Result::kFound;
      }
      if (found == LmdbFile::kFound && offset == before) return Result::kDamaged;
      before = offset;
    }
    // The ring may have gone on meanwhile, and put another block or another part of a tree there: then the block has
    // gone. What is still said to be there is damaged.
    if (found != LmdbFile::kFound && found != -EBADMSG) return ResultOf(found);
  }
  return Result::kFailed;
}

Result StoredBlocks::BringNear(const Key& key, size_t length, bool mayWait) const {
  uint64_t offset = places_.Guess(key);
  if (offset == Places::kNone) {
    const int found = file_.Find(key.bytes, kKeyBytes, mayWait, &offset);
    if (found != LmdbFile::kFound) return ResultOf(found);
  }
  uint8_t byte;
  if (file_.Read(offset, &byte, 1, false) == LmdbFile::kFound &&
      file_.Read(offset + kHead + length - 1, &byte, 1, false) == LmdbFile::kFound) {
    return Result::kFound;
  }
  if (!mayWait) return Result::kWaits;
  file_.WillNeed(offset, kHead + length);
  return Result::kFound;
}
