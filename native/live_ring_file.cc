#include "live_ring_file.h"

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shm_crc.h"

namespace live {

namespace {

uint32_t HeaderCrc(const RingHeader& header) { return shm::Crc32c(0, &header, offsetof(RingHeader, crc)); }

Status Damaged(const std::string& path, const std::string& why) {
  return Status::Error(Status::kDamaged, "the file " + path + " of a live stream can't be used: " + why);
}

/** The checked header of an open file. */
Status ReadHeader(const std::string& path, int fd, RingHeader* header) {
  struct stat found;
  if (fstat(fd, &found) != 0) return Status::System("can't look at " + path, errno);
  if (!S_ISREG(found.st_mode) || (found.st_uid != geteuid() && found.st_uid != 0))
    return Status::Error(Status::kForeign, "the file " + path + " of a live stream belongs to somebody else");
  if (found.st_size < static_cast<off_t>(kPage) || !shm::ReadAll(fd, header, sizeof *header, 0))
    return Damaged(path, "it was cut off inside its header");
  if (std::memcmp(header->magic, kMagic, sizeof kMagic) != 0) return Damaged(path, "it is none");
  if (header->layoutVersion != kLayoutVersion || header->byteOrder != kByteOrder)
    return Damaged(path, "it has the layout of another version");
  if (header->crc != HeaderCrc(*header)) return Damaged(path, "its header is damaged");
  Geometry derived = {};
  if (!MakeGeometry(header->geometry.dataBytes, &derived) ||
      std::memcmp(&derived, &header->geometry, sizeof derived) != 0)
    return Damaged(path, "it has the geometry of another version");
  if (header->ready.load(std::memory_order_relaxed) != kReady)
    return Damaged(path, "the process that made it did not finish");
  if (static_cast<uint64_t>(found.st_size) < derived.fileSize) return Damaged(path, "it was cut off");
  return {};
}

}  // namespace

Status RingFile::Create(const std::string& path, uint64_t bytes, uint32_t keepMs, uint32_t segmentMs,
                        uint64_t createdAt) {
  if (!MakeGeometry(bytes, &geometry_) || keepMs == 0 || segmentMs == 0)
    return Status::Error(Status::kArgument, "the buffer of a live stream has from 1 MiB to 1 GiB, found " +
                                                std::to_string(bytes) + " bytes, and from 1 ms on");
  // Never the file that stands there: workers may have it mapped.
  unlink(path.c_str());
  fd_ = open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd_ < 0) return Status::System("can't make the file " + path + " of a live stream", errno);
  int error = ftruncate(fd_, static_cast<off_t>(geometry_.fileSize)) == 0 ? 0 : errno;
  // Running out of room is an error now, and not a signal later; data are allocated as they come.
  if (error == 0) error = posix_fallocate(fd_, 0, static_cast<off_t>(geometry_.data));
  if (error != 0) {
    unlink(path.c_str());
    Close();
    return Status::System("there is no room for the file " + path + " of a live stream", error);
  }
  keepMs_ = keepMs;
  segmentMs_ = segmentMs;
  const Status mapped = Map(true);
  if (!mapped.ok()) return mapped;
  RingHeader& made = header();
  std::memcpy(made.magic, kMagic, sizeof kMagic);
  made.layoutVersion = kLayoutVersion;
  made.byteOrder = kByteOrder;
  made.geometry = geometry_;
  made.keepMs = keepMs;
  made.segmentMs = segmentMs;
  const uint64_t now = shm::RealtimeUs() / 1000;
  made.createdAt = createdAt == 0 || createdAt > now ? now : createdAt;
  made.createdUs = shm::MonotonicUs() - (now - made.createdAt) * 1000;
  made.crc = HeaderCrc(made);
  made.state.store(static_cast<uint32_t>(State::kWaiting), std::memory_order_relaxed);
  made.stateSince.store(shm::MonotonicMs(), std::memory_order_relaxed);
  // Release: whoever sees it sees all of the above.
  made.ready.store(kReady, std::memory_order_release);
  return {};
}

Status RingFile::Open(const std::string& path, bool write) {
  // O_NONBLOCK: a fifo in the place of the file must not block.
  fd_ = open(path.c_str(), (write ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
  if (fd_ < 0) return Status::System("can't open the file " + path + " of a live stream", errno);
  RingHeader found = {};
  Status status = ReadHeader(path, fd_, &found);
  if (status.ok()) {
    geometry_ = found.geometry;
    keepMs_ = found.keepMs;
    segmentMs_ = found.segmentMs == 0 ? 1 : found.segmentMs;
    status = Map(write);
  }
  if (!status.ok()) Close();
  return status;
}

Status RingFile::Map(bool write) {
  const int access = write ? PROT_READ | PROT_WRITE : PROT_READ;
  const size_t size = geometry_.dataBytes;
  void* control = mmap(nullptr, geometry_.data, access, MAP_SHARED, fd_, 0);
  if (control == MAP_FAILED) return Status::System("can't map the file of a live stream", errno);
  control_ = static_cast<uint8_t*>(control);
  void* place = mmap(nullptr, 2 * size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (place == MAP_FAILED) {
    const int error = errno;
    Close();
    return Status::System("there are no addresses for the file of a live stream", error);
  }
  data_ = static_cast<uint8_t*>(place);
  for (int half = 0; half < 2; half++) {
    const off_t offset = static_cast<off_t>(geometry_.data);
    if (mmap(data_ + static_cast<size_t>(half) * size, size, access, MAP_SHARED | MAP_FIXED, fd_, offset) ==
        MAP_FAILED) {
      const int error = errno;
      Close();
      return Status::System("can't map the data of a live stream", error);
    }
  }
  return {};
}

void RingFile::Close() {
  if (control_ != nullptr) munmap(control_, geometry_.data);
  if (data_ != nullptr) munmap(data_, 2 * geometry_.dataBytes);
  if (fd_ >= 0) close(fd_);
  control_ = nullptr;
  data_ = nullptr;
  fd_ = -1;
}

bool RingFile::ReadTag(uint64_t sequence, Tag* tag) const {
  const Entry& found = entry(sequence);
  uint64_t words[8];
  // Acquire, each: the sequence is looked at once more behind them, and the writer clears it before it writes others.
  for (int i = 0; i < 8; i++) words[i] = found.words[i].load(std::memory_order_acquire);
  if (words[0] != sequence + 1 || found.words[0].load(std::memory_order_relaxed) != sequence + 1) return false;
  tag->position = words[1];
  tag->length = static_cast<uint32_t>(words[2]);
  tag->timestamp = static_cast<uint32_t>(words[2] >> 32);
  tag->flags = static_cast<uint32_t>(words[3]) & ((1u << kFlagBits) - 1);
  tag->epoch = static_cast<uint32_t>(words[3]) >> kFlagBits;
  tag->version = static_cast<uint32_t>(words[3] >> 32);
  tag->discontinuity = static_cast<uint32_t>(words[4]);
  tag->segment = static_cast<uint32_t>(words[4] >> 32);
  tag->join = words[5];
  tag->joinBefore = words[6];
  tag->arrived = words[7];
  // Nothing that stands in the file is trusted: these are used as offsets.
  if (tag->length < kTagHead + kTagTail || tag->length > geometry_.dataBytes || tag->position > UINT64_MAX / 2)
    return false;
  if (tag->join != kNone && tag->join > sequence) return false;
  return tag->joinBefore == kNone || (tag->join != kNone && tag->joinBefore < tag->join);
}

bool RingFile::ReadEnds(Ends* ends) const {
  // Acquire: entries and bytes up to the head are seen. The tail first: it never passes the head.
  ends->tail = header().tail.load(std::memory_order_acquire);
  ends->head = header().head.load(std::memory_order_acquire);
  return ends->tail <= ends->head && ends->head < UINT64_MAX / 2;
}

bool RingFile::IsWhole() const {
  struct stat found;
  return fstat(fd_, &found) == 0 && static_cast<uint64_t>(found.st_size) >= geometry_.fileSize;
}

}  // namespace live
