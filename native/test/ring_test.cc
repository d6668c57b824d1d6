// The ring of a live stream: what readers find while it is written, and after the death of the writer at any
// instruction.
#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

#include <atomic>
#include <cstring>
#include <thread>
#include <vector>

#include "../live_ring_reader.h"
#include "../live_ring_words.h"
#include "../live_ring_writer.h"
#include "support.h"

namespace {

using live::Appended;
using live::Headers;
using live::RingReader;
using live::RingWriter;
using live::Run;
using live::Tag;
using test::ByteOf;
using test::Random;

constexpr uint64_t kBytes = 1 << 20;

void Check(const shm::Status& status) {
  if (!status.ok()) test::Fail(__FILE__, __LINE__, status.message);
}

/** Data of the tag with this number: it begins with the number, and so do its headers. */
std::vector<uint8_t> DataOf(uint32_t number, size_t length) {
  std::vector<uint8_t> data(std::max<size_t>(length, 8));
  std::memcpy(data.data(), &number, sizeof number);
  const uint32_t size = static_cast<uint32_t>(data.size());
  std::memcpy(data.data() + 4, &size, sizeof size);
  for (uint32_t at = 8; at < data.size(); at++) data[at] = ByteOf(number, at);
  return data;
}

bool Append(RingWriter& writer, uint32_t number, size_t length) {
  const std::vector<uint8_t> data = DataOf(number, length);
  const size_t half = data.size() / 2;
  const live::Piece pieces[2] = {{data.data(), half}, {data.data() + half, data.size() - half}};
  return writer.Append({9, number * 40, number % 10 == 0, pieces, 2}) == Appended::kYes;
}

void PutHeaders(RingWriter& writer, uint32_t number) {
  const std::vector<uint8_t> data = DataOf(number, 200);
  CHECK(writer.SetHeaders({{nullptr, 0}, {data.data(), data.size()}, {nullptr, 0}, {nullptr, 0}, true, false}));
}

/** Whether `bytes` are whole tags, as they were written. */
void CheckTags(const std::vector<uint8_t>& bytes) {
  size_t at = 0;
  while (at < bytes.size()) {
    CHECK(at + 15 <= bytes.size());
    const size_t length = static_cast<size_t>(bytes[at + 1]) << 16 | static_cast<size_t>(bytes[at + 2]) << 8 |
                          static_cast<size_t>(bytes[at + 3]);
    CHECK(at + 15 + length <= bytes.size() && length >= 8);
    uint32_t number, size;
    std::memcpy(&number, bytes.data() + at + 11, sizeof number);
    std::memcpy(&size, bytes.data() + at + 15, sizeof size);
    CHECK_EQUAL(size, length);
    for (uint32_t i = 8; i < length; i++) CHECK(bytes[at + 11 + i] == ByteOf(number, i));
    at += 15 + length;
  }
}

/** Reads at random places while a writer is at work; what `Holds` vouches for must be right. */
void ReadAll(const std::string& path, const std::atomic<bool>& done, uint64_t seed) {
  RingReader reader;
  Check(reader.Open(path));
  Random random(seed);
  uint64_t good = 0;
  std::vector<uint8_t> copy;
  while (!done.load(std::memory_order_acquire) || good == 0) {
    live::Ends ends = {};
    CHECK(reader.file().ReadEnds(&ends));
    if (ends.head == ends.tail) continue;
    // Mostly at the tail, where the writer is about to overwrite.
    const uint64_t back =
        random.Below(3) == 0 ? random.Below(static_cast<uint32_t>(ends.head - ends.tail)) : random.Below(3);
    const uint64_t first = std::min(ends.tail + back, ends.head - 1);
    Run run = {};
    if (!reader.FindRun(first, ends.head, 1 + random.Below(200000), &run)) continue;
    CHECK(run.end > first && run.end <= ends.head);
    CHECK(run.offset + run.length <= 2 * reader.file().geometry().dataBytes);
    copy.resize(run.length);
    live::CopyOut(copy.data(), reader.file().data() + run.offset, run.length);
    if (!reader.Holds(first)) continue;
    CheckTags(copy);
    good++;
    live::HeaderCopy headers = {};
    if (reader.ReadHeaders(reader.file().header().version.load(std::memory_order_acquire), &headers)) {
      uint32_t number;
      std::memcpy(&number, headers.bytes.data(), sizeof number);
      for (uint32_t i = 8; i < headers.bytes.size(); i++) CHECK(headers.bytes[i] == ByteOf(number, i));
    }
  }
}

void TestThreads(uint32_t tags) {
  test::TemporaryFile file("ring-threads");
  RingWriter writer;
  Check(writer.Create(file.path(), kBytes, 200, 2000));
  PutHeaders(writer, 1u << 30);
  std::atomic<bool> done{false};
  std::vector<std::thread> readers;
  for (uint64_t seed = 1; seed <= 3; seed++) readers.emplace_back([&, seed] { ReadAll(file.path(), done, seed); });
  Random random(7);
  for (uint32_t number = 0; number < tags; number++) {
    if (random.Below(50) == 0) PutHeaders(writer, number | 1u << 30);
    CHECK(Append(writer, number, random.Below(10) == 0 ? random.Below(200000) : random.Below(4000)));
  }
  // Release: readers that see it have seen all tags.
  done.store(true, std::memory_order_release);
  for (std::thread& reader : readers) reader.join();
}

/** The child appends until it is killed after so many instructions; false when it ended before. */
bool KillAfter(const std::string& path, uint64_t steps) {
  const pid_t pid = fork();
  CHECK(pid >= 0);
  if (pid == 0) {
    test::DieWithParent();
    RingWriter writer;
    if (!writer.Adopt(path).ok()) std::_Exit(2);
    const std::vector<uint8_t> data = DataOf(1000, 300);
    const live::Piece piece = {data.data(), data.size()};
    const Headers headers = {{nullptr, 0}, piece, {nullptr, 0}, {nullptr, 0}, true, false};
    if (ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0) std::_Exit(3);
    raise(SIGSTOP);
    writer.SetHeaders(headers);
    for (uint32_t number = 0; number < 3; number++) writer.Append({9, 400000 + number, true, &piece, 1});
    writer.SetState(live::State::kWaiting);
    std::_Exit(0);
  }
  int status = 0;
  CHECK(waitpid(pid, &status, 0) == pid);
  if (!WIFSTOPPED(status)) {
    std::printf("ring step test skipped: no ptrace\n");
    std::_Exit(0);
  }
  bool isOver = false;
  for (uint64_t step = 0; step < steps && !isOver; step++) {
    CHECK(ptrace(PTRACE_SINGLESTEP, pid, nullptr, nullptr) == 0);
    CHECK(waitpid(pid, &status, 0) == pid);
    isOver = !WIFSTOPPED(status);
  }
  if (isOver) {
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    return false;
  }
  kill(pid, SIGKILL);
  CHECK(waitpid(pid, &status, 0) == pid);
  return true;
}

/** Whatever instruction a writer dies at: readers find whole tags, and the next writer goes on. */
void TestDeaths(uint64_t stride) {
  test::TemporaryFile file("ring-step");
  uint64_t kills = 0;
  for (uint64_t steps = 0;; steps += stride) {
    {
      RingWriter writer;
      Check(writer.Create(file.path(), kBytes, 200, 2000));
      PutHeaders(writer, 5);
      for (uint32_t number = 0; number < 12; number++) CHECK(Append(writer, number, 60000));
    }
    const bool killed = KillAfter(file.path(), steps);
    RingReader reader;
    Check(reader.Open(file.path()));
    CHECK(!reader.file().HasWriter());
    RingWriter next;
    Check(next.Adopt(file.path()));
    CHECK(reader.file().HasWriter());
    CHECK(Append(next, 20000, 500));
    live::Ends ends = {};
    CHECK(reader.file().ReadEnds(&ends));
    CHECK(ends.head > ends.tail && ends.head >= 13 && ends.head <= 18);
    Run run = {};
    std::vector<uint8_t> copy;
    for (uint64_t first = ends.tail; first < ends.head; first = run.end) {
      CHECK(reader.FindRun(first, ends.head, kBytes, &run));
      copy.resize(run.length);
      live::CopyOut(copy.data(), reader.file().data() + run.offset, run.length);
      CheckTags(copy);
    }
    Tag newest = {};
    CHECK(reader.file().ReadTag(ends.head - 1, &newest));
    live::HeaderCopy headers = {};
    CHECK(reader.ReadHeaders(newest.version, &headers));
    if (!killed) break;
    kills++;
  }
  std::printf("killed after every %llu. instruction, %llu times\n", static_cast<unsigned long long>(stride),
              static_cast<unsigned long long>(kills));
}

/** Whatever stands in a file: no reader goes past its end. */
void TestDamage(uint32_t runs) {
  test::TemporaryFile file("ring-damage");
  Random random(3);
  for (uint32_t i = 0; i < runs; i++) {
    RingWriter writer;
    Check(writer.Create(file.path(), kBytes, 200, 2000));
    PutHeaders(writer, 5);
    for (uint32_t number = 0; number < 20; number++) Append(writer, number, 1000);
    RingReader reader;
    Check(reader.Open(file.path()));
    auto* control = reinterpret_cast<uint8_t*>(&writer.file().header());
    for (int damage = 0; damage < 20; damage++) {
      const uint64_t at = random.Below(4) == 0 ? 128 + random.Below(200) : 4096 + random.Below(64 * 24);
      control[at] = static_cast<uint8_t>(random.Next());
    }
    live::Ends ends = {};
    reader.file().ReadEnds(&ends);
    for (uint64_t first = 0; first < 24; first++) {
      Run run = {};
      if (!reader.FindRun(first, first + 1 + random.Below(40), 1 + random.Below(100000), &run)) continue;
      CHECK(run.offset + run.length <= 2 * reader.file().geometry().dataBytes);
      std::vector<uint8_t> copy(run.length);
      live::CopyOut(copy.data(), reader.file().data() + run.offset, run.length);
    }
    live::HeaderCopy headers = {};
    reader.ReadHeaders(static_cast<uint32_t>(random.Next()), &headers);
    writer.Close();
    RingWriter next;
    if (next.Adopt(file.path()).ok()) {
      for (uint32_t number = 0; number < 5; number++) Append(next, number * 10, 5000);
    }
  }
}

}  // namespace

int main(int count, char** arguments) {
  const auto argument = [&](int at, uint32_t otherwise) {
    return count > at ? static_cast<uint32_t>(std::atoi(arguments[at])) : otherwise;
  };
  TestThreads(argument(1, 20000));
  TestDamage(argument(2, 200));
  if (argument(3, 97) > 0) TestDeaths(argument(3, 97));
  std::printf("ring tests passed\n");
  return 0;
}
