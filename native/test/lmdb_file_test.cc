// Tests of the reader of LMDB's files, on a file that is made here: it finds what is there, and of a file that is
// damaged in whatever way it says so, within bounded time, and touches nothing that is not its own.
//
//   lmdb_file_test [rounds]

#include "../lmdb_file.h"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string>
#include <unistd.h>
#include <vector>

#include "lmdb_pages.h"
#include "support.h"

using namespace test;

namespace {

constexpr char kName[] = "blocks";
constexpr uint32_t kLeaves = 12;
constexpr uint32_t kKeysOfLeaf = 20;
/** Pages of the file: two of meta, the tree of tables, a branch, leaves, and a page of value for each key. */
constexpr uint64_t kTables = 2, kRoot = 3, kFirstLeaf = 4, kFirstValue = kFirstLeaf + kLeaves;
constexpr uint64_t kPages = kFirstValue + kLeaves * kKeysOfLeaf;

std::string KeyAt(uint32_t number) {
  std::string key(28, '\0');
  for (int byte = 0; byte < 4; byte++) key[static_cast<size_t>(7 - byte)] = static_cast<char>(number >> (8 * byte));
  return key;
}

/** A file with a table of so many big values, each a page that bears the number of its key. */
std::vector<uint8_t> MakeFile() {
  std::vector<uint8_t> file(kPages * kPageSize);
  PutTables(file, kTables, std::string(kName, sizeof kName), kRoot);
  Page root(file, kRoot, kBranch);
  for (uint32_t leaf = 0; leaf < kLeaves; leaf++) {
    // Of a branch, the flags are the high part of the page's number, and the first key is none.
    root.Add(kFirstLeaf + leaf, 0, leaf == 0 ? "" : KeyAt(leaf * kKeysOfLeaf), "");
    Page page(file, kFirstLeaf + leaf, kLeaf);
    for (uint32_t i = 0; i < kKeysOfLeaf; i++) {
      const uint32_t number = leaf * kKeysOfLeaf + i;
      page.Add(kPageSize - LmdbFile::kPageHead, kBig, KeyAt(number), WordOf(kFirstValue + number));
      Put(file.data() + (kFirstValue + number) * kPageSize + LmdbFile::kPageHead, number);
    }
  }
  return file;
}

/** Value of a key by its number; kLeaves * kKeysOfLeaf where there is none. */
int ValueOf(const LmdbFile& file, const std::string& key, uint32_t* value) {
  uint64_t offset;
  const int found = file.Find(reinterpret_cast<const uint8_t*>(key.data()), key.size(), true, &offset);
  if (found != LmdbFile::kFound) return found;
  return file.Read(offset + LmdbFile::kPageHead, reinterpret_cast<uint8_t*>(value), sizeof *value, true);
}

void TestFinds(const std::string& path) {
  Write(path, MakeFile(), kPages * kPageSize);
  LmdbFile file;
  CHECK(file.Open(path.c_str(), kName));
  uint32_t value;
  for (uint32_t number = 0; number < kLeaves * kKeysOfLeaf; number++) {
    CHECK_EQUAL(ValueOf(file, KeyAt(number), &value), LmdbFile::kFound);
    CHECK_EQUAL(value, number);
  }
  CHECK_EQUAL(ValueOf(file, KeyAt(kLeaves * kKeysOfLeaf), &value), LmdbFile::kAbsent);
  CHECK_EQUAL(ValueOf(file, KeyAt(7) + "x", &value), LmdbFile::kAbsent);
  CHECK_EQUAL(ValueOf(file, KeyAt(7).substr(0, 20), &value), LmdbFile::kAbsent);
  CHECK_EQUAL(ValueOf(file, "", &value), LmdbFile::kAbsent);
  CHECK(file.Open(path.c_str(), "other"));
  CHECK_EQUAL(ValueOf(file, KeyAt(7), &value), LmdbFile::kAbsent);
  CHECK(!file.Open(path.c_str(), std::string(40, 'n').c_str()));
  CHECK(!file.Open((path + ".none").c_str(), kName));
}

/** Whatever stands in the file: an answer of the few that there are. */
void Look(const LmdbFile& file, Random& random) {
  for (uint32_t look = 0; look < 8; look++) {
    std::string key = KeyAt(random.Below(kLeaves * kKeysOfLeaf + 2));
    if (random.Below(8) == 0) key.resize(random.Below(30));
    uint32_t value = 0;
    const int found = ValueOf(file, key, &value);
    CHECK(found == LmdbFile::kFound || found == LmdbFile::kAbsent || found == -EBADMSG || found == -EINVAL);
  }
}

void TestDamage(const std::string& path, uint32_t rounds) {
  const std::vector<uint8_t> sound = MakeFile();
  Random random(11);
  constexpr uint64_t kWords[] = {
      0, 1, 2, 3, 4, 0xff, 0xffff, 0x8000, 0xfff8, 0xffffffff, 0x7fffffff, ~uint64_t{}, ~uint64_t{} >> 1, kPages};
  for (uint32_t round = 0; round < rounds; round++) {
    std::vector<uint8_t> bytes = sound;
    // Of the pages that lead somewhere, most often.
    for (uint32_t change = 1 + random.Below(6); change > 0; change--) {
      const uint64_t page = random.Below(8) == 0 ? random.Below(kPages) : random.Below(kFirstValue);
      const size_t width = size_t{1} << random.Below(4);
      const size_t at = random.Below(2) == 0 ? random.Below(200) : random.Below(kPageSize - 8);
      const uint64_t word = random.Below(2) == 0 ? kWords[random.Below(sizeof kWords / sizeof *kWords)]
                                                 : random.Next() >> random.Below(64);
      std::memcpy(bytes.data() + page * kPageSize + at, &word, width);
    }
    const bool isCut = random.Below(6) == 0;
    Write(path, bytes, isCut ? random.Below(static_cast<uint32_t>(bytes.size())) : bytes.size());
    LmdbFile file;
    if (!file.Open(path.c_str(), kName)) continue;
    Look(file, random);
    // It becomes another file while it is open, as it does while the ring goes on.
    Write(path, sound, random.Below(6) == 0 ? random.Below(static_cast<uint32_t>(sound.size())) : sound.size());
    Look(file, random);
  }
}

/** A branch that leads to itself, or leads on and on, ends. */
void TestLoops(const std::string& path) {
  std::vector<uint8_t> bytes = MakeFile();
  std::memset(bytes.data() + kRoot * kPageSize, 0, kPageSize);
  Page root(bytes, kRoot, kBranch);
  root.Add(kRoot, 0, "", "");
  root.Add(kRoot, 0, KeyAt(5), "");
  Write(path, bytes, bytes.size());
  LmdbFile file;
  CHECK(file.Open(path.c_str(), kName));
  uint32_t value;
  CHECK_EQUAL(ValueOf(file, KeyAt(1), &value), -EBADMSG);
  CHECK_EQUAL(ValueOf(file, KeyAt(9), &value), -EBADMSG);
}

}  // namespace

int main(int count, char** arguments) {
  const uint32_t rounds = count > 1 ? static_cast<uint32_t>(std::atoi(arguments[1])) : 3000;
  const std::string path = "/tmp/moovedge-lmdb-" + std::to_string(getpid());
  CurrentFile() = path;
  TestFinds(path);
  TestLoops(path);
  TestDamage(path, rounds);
  unlink(path.c_str());
  std::printf("lmdb file tests passed\n");
  return 0;
}
