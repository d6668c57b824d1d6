// Tests of the reader of stored blocks, on files that are made here: what it finds is what was written, also where the
// ring has gone on since, and of damage in whatever place it says so and touches nothing that is not its own.
//
//   stored_blocks_test [rounds]

#include "../stored_blocks.h"

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <thread>
#include <unistd.h>
#include <vector>

#include "../shm_crc.h"
#include "lmdb_pages.h"
#include "support.h"

using namespace test;

namespace {

using Result = StoredBlocks::Result;

constexpr char kName[] = "blocks";
constexpr uint32_t kBlocks = 24;
constexpr uint64_t kTables = 2, kRoot = 3, kFirstValue = 4;
/** Pages of a value; what a whole block takes. */
constexpr uint64_t kValuePages = StoredBlocks::kStride / kPageSize;
constexpr uint64_t kPages = kFirstValue + kBlocks * kValuePages;
/** Blocks whose sequence numbers are so far apart are remembered in the same place. */
constexpr uint64_t kApart = 16384;

StoredBlocks::Key StoredKeyOf(uint32_t number) {
  StoredBlocks::Key key;
  const uint64_t sequence = number < kBlocks / 2 ? number + 1 : number + 1 - kBlocks / 2 + kApart;
  for (size_t byte = 0; byte < 8; byte++) key.bytes[byte] = static_cast<uint8_t>(sequence >> (56 - 8 * byte));
  for (size_t byte = 8; byte < sizeof key.bytes; byte++) key.bytes[byte] = static_cast<uint8_t>(number + byte);
  return key;
}

uint8_t* ValueAt(std::vector<uint8_t>& file, uint64_t place) {
  return file.data() + (kFirstValue + place * kValuePages) * kPageSize + LmdbFile::kPageHead;
}

/** A file with all blocks but the first `gone`; each lies `shift` places further on than its number. */
std::vector<uint8_t> MakeFile(uint32_t shift = 0, uint32_t gone = 0) {
  std::vector<uint8_t> file(kPages * kPageSize);
  PutTables(file, kTables, std::string(kName, sizeof kName), kRoot);
  Page leaf(file, kRoot, kLeaf);
  for (uint32_t number = gone; number < kBlocks; number++) {
    const StoredBlocks::Key key = StoredKeyOf(number);
    const uint32_t length = LengthOf(number);
    const uint64_t place = (number + shift) % kBlocks;
    leaf.Add(StoredBlocks::kDataAt + length, kBig, std::string(reinterpret_cast<const char*>(key.bytes), sizeof key),
             WordOf(kFirstValue + place * kValuePages));
    uint8_t* value = ValueAt(file, place);
    uint8_t* data = value + StoredBlocks::kDataAt;
    for (uint32_t at = 0; at < length; at++) data[at] = ByteOf(number, at);
    Put(value, StoredBlocks::kMagic);
    Put(value + StoredBlocks::kLengthAt, length);
    Put(value + StoredBlocks::kChecksumAt, shm::Crc32c(0, data, length));
    std::memcpy(value + StoredBlocks::kKeyAt, key.bytes + StoredBlocks::kSequenceBytes, StoredBlocks::kBlockKeyBytes);
  }
  return file;
}

/** Reads a block into memory of just its size. What is found is right, and nothing beyond it is written. */
Result ReadOf(const StoredBlocks& blocks, uint32_t number, bool mayWait = true) {
  const uint32_t length = LengthOf(number);
  // The kernel writes there, which AddressSanitizer does not see: a byte behind the block shows it.
  const auto pages = std::make_unique<uint8_t[]>(StoredBlocks::kHead + length + 1);
  uint8_t& behind = pages[StoredBlocks::kHead + length];
  behind = 0x5a;
  const Result result = blocks.Read(StoredKeyOf(number), length, mayWait, pages.get());
  CHECK_EQUAL(behind, 0x5a);
  if (result != Result::kFound) return result;
  const uint8_t* data = pages.get() + StoredBlocks::kHead;
  for (uint32_t at = 0; at < length; at++) CHECK_EQUAL(data[at], ByteOf(number, at));
  return result;
}

std::unique_ptr<StoredBlocks> OpenBlocks(const std::string& path) {
  auto blocks = std::make_unique<StoredBlocks>();
  return blocks->Open(path.c_str(), kName) ? std::move(blocks) : nullptr;
}

void TestReads(const std::string& path) {
  std::vector<uint8_t> file = MakeFile();
  Write(path, file, file.size());
  const auto blocks = OpenBlocks(path);
  CHECK(blocks != nullptr);
  // By the tree at first; then where it was found, or by the tree again where another is remembered.
  for (uint32_t round = 0; round < 2; round++) {
    for (uint32_t number = 0; number < kBlocks; number++) CHECK(ReadOf(*blocks, number) == Result::kFound);
  }
  for (uint32_t number = kBlocks / 2; number < kBlocks; number++) CHECK(ReadOf(*blocks, number) == Result::kFound);
  CHECK(ReadOf(*blocks, kBlocks) == Result::kAbsent);
  CHECK(blocks->BringNear(StoredKeyOf(1), LengthOf(1), true) == Result::kFound);
  CHECK(blocks->BringNear(StoredKeyOf(kBlocks), 1, true) == Result::kAbsent);
  const Result near = blocks->BringNear(StoredKeyOf(1), LengthOf(1), false);
  CHECK(near == Result::kFound || near == Result::kWaits);

  // One byte of each part of a value.
  const size_t parts[] = {0,
                          StoredBlocks::kLengthAt,
                          StoredBlocks::kChecksumAt,
                          StoredBlocks::kKeyAt,
                          StoredBlocks::kDataAt,
                          StoredBlocks::kDataAt + LengthOf(7) - 1};
  for (const size_t part : parts) {
    ValueAt(file, 7)[part] ^= 1;
    Write(path, file, file.size());
    CHECK(ReadOf(*blocks, 7) == Result::kDamaged);
    CHECK(ReadOf(*blocks, 6) == Result::kFound);
    ValueAt(file, 7)[part] ^= 1;
  }
}

/** The ring goes on while a file is open. */
void TestRing(const std::string& path) {
  Write(path, MakeFile(), kPages * kPageSize);
  const auto blocks = OpenBlocks(path);
  CHECK(blocks != nullptr);
  for (uint32_t shift = 0; shift < 4; shift++) {
    const uint32_t gone = shift * 2;
    Write(path, MakeFile(shift, gone), kPages * kPageSize);
    for (uint32_t number = 0; number < kBlocks; number++) {
      CHECK(ReadOf(*blocks, number) == (number < gone ? Result::kAbsent : Result::kFound));
    }
  }
}

void TestDamage(const std::string& path, uint32_t rounds) {
  std::vector<uint8_t> file = MakeFile();
  Write(path, file, file.size());
  Random random(5);
  auto blocks = OpenBlocks(path);
  for (uint32_t round = 0; round < rounds; round++) {
    // Pages that lead somewhere, or the beginning of a value.
    const uint64_t page =
        random.Below(2) == 0 ? random.Below(kFirstValue) : kFirstValue + random.Below(kBlocks) * kValuePages;
    const size_t at = page * kPageSize + random.Below(random.Below(2) == 0 ? 200 : kPageSize - 8);
    const size_t width = size_t{1} << random.Below(4);
    const uint64_t word = random.Next() >> random.Below(64);
    const bool isCut = random.Below(8) == 0;
    const std::vector<uint8_t> before(file.begin() + static_cast<long>(at), file.begin() + static_cast<long>(at + 8));
    std::memcpy(file.data() + at, &word, width);
    Write(path, file, isCut ? random.Below(static_cast<uint32_t>(file.size())) : file.size());
    // A reader that knows places, or one that knows none.
    if (random.Below(2) == 0) {
      if (auto fresh = OpenBlocks(path)) blocks = std::move(fresh);
    }
    for (uint32_t look = 0; look < 8; look++) {
      const uint32_t number = random.Below(kBlocks + 1);
      ReadOf(*blocks, number, random.Below(2) == 0);
      blocks->BringNear(StoredKeyOf(number), LengthOf(number), random.Below(2) == 0);
    }
    std::memcpy(file.data() + at, before.data(), before.size());
    // As it was before: all is there again.
    Write(path, file, file.size());
    const uint32_t number = random.Below(kBlocks);
    CHECK(ReadOf(*blocks, number) == Result::kFound);
  }
}

/** Threads share what they remember, while the ring goes on. */
void TestThreads(const std::string& path, uint32_t rounds) {
  const std::vector<uint8_t> files[] = {MakeFile(0), MakeFile(1), MakeFile(2, 3)};
  Write(path, files[0], files[0].size());
  const auto blocks = OpenBlocks(path);
  CHECK(blocks != nullptr);
  // Nothing is passed on by it but that the end has come.
  std::atomic<bool> isOver{false};
  std::vector<std::thread> readers;
  for (uint32_t reader = 0; reader < 3; reader++) {
    readers.emplace_back([&, reader] {
      Random random(reader + 1);
      while (!isOver.load(std::memory_order_relaxed)) ReadOf(*blocks, random.Below(kBlocks), random.Below(2) == 0);
    });
  }
  for (uint32_t round = 0; round < rounds; round++) Write(path, files[round % 3], files[round % 3].size());
  isOver.store(true, std::memory_order_relaxed);
  for (std::thread& reader : readers) reader.join();
  Write(path, files[0], files[0].size());
  for (uint32_t number = 0; number < kBlocks; number++) CHECK(ReadOf(*blocks, number) == Result::kFound);
}

}  // namespace

int main(int count, char** arguments) {
  const uint32_t rounds = count > 1 ? static_cast<uint32_t>(std::atoi(arguments[1])) : 500;
  const std::string path = "/tmp/moovedge-stored-" + std::to_string(getpid());
  CurrentFile() = path;
  TestReads(path);
  TestRing(path);
  TestDamage(path, rounds);
  TestThreads(path, rounds / 4);
  unlink(path.c_str());
  std::printf("stored blocks tests passed\n");
  return 0;
}
