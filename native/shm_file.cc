#include "shm_file.h"

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <ctime>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "shm_carry.h"
#include "shm_crc.h"

namespace shm {

namespace {

/** Longest wait for another process that is opening or closing the file, in milliseconds. */
constexpr uint32_t kStartTimeoutMs = 10000;
constexpr uint64_t kReserveStep = uint64_t{1} << 30;
constexpr uint64_t kPage = 4096;

std::string Mebibytes(uint64_t bytes) { return std::to_string(bytes >> 20) + " MiB"; }

/** A time in milliseconds since 1970 as people and tools read it. */
std::string IsoTime(uint64_t ms) {
  const time_t seconds = static_cast<time_t>(ms / 1000);
  tm parts;
  char text[32];
  if (gmtime_r(&seconds, &parts) == nullptr || std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts) == 0)
    return "an unknown time";
  return text;
}

uint32_t HeaderCrc(const FileHeader& header) { return Crc32c(0, &header, offsetof(FileHeader, crc)); }

bool IsZero(const uint8_t* bytes, size_t length) {
  return std::all_of(bytes, bytes + length, [](uint8_t byte) { return byte == 0; });
}

/**
 * True for a file that holds nothing but zeros and no more than one page, huge pages included: what a process leaves
 * behind that died while it made the file.
 */
bool IsBlank(int fd, uint64_t size) {
  if (size > kDataAlignment) return false;
  uint8_t page[kPage];
  for (uint64_t at = 0; at < size; at += sizeof page) {
    const size_t length = static_cast<size_t>(std::min<uint64_t>(sizeof page, size - at));
    if (!ReadAll(fd, page, length, at) || !IsZero(page, length)) return false;
  }
  return true;
}

/** Size that the file must have: on hugetlbfs a whole number of huge pages. */
uint64_t RoundToPages(int fd, uint64_t bytes) {
  struct statfs fs;
  if (fstatfs(fd, &fs) != 0 || fs.f_type != HUGETLBFS_MAGIC || fs.f_bsize <= 0) return bytes;
  const uint64_t page = static_cast<uint64_t>(fs.f_bsize);
  return (bytes + page - 1) / page * page;
}

/** Whoever owns a file or its folder can change it. */
bool IsOwn(const struct stat& found) { return found.st_uid == geteuid() || found.st_uid == 0; }

Status ForeignError(const std::string& what, uid_t owner) {
  return Status::Error(Status::kForeign,
                       what + " belongs to user " + std::to_string(owner) +
                           ", who could change what players get; remove it or choose another cache.memory.file");
}

/** An error when somebody else owns the folder of `path`. */
Status CheckFolder(const std::string& path) {
  const size_t slash = path.rfind('/');
  const std::string folder = slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
  struct stat found;
  if (stat(folder.c_str(), &found) != 0 || IsOwn(found)) return {};
  return ForeignError("the folder " + folder + " of the cache file", found.st_uid);
}

Status OpenError(const std::string& path, int error) {
  const std::string what = "the cache file " + path + " can't be opened";
  switch (error) {
    case EACCES:
    case EPERM:
      return Status::Error(Status::kSystem,
                           what + ": no permission; run as the user who owns it, or choose another cache.memory.file");
    case ENOENT:
      return Status::Error(Status::kSystem, what +
                                                ": it does not exist, or its directory does not; create the directory "
                                                "or choose another cache.memory.file");
    case ENOTDIR:
      return Status::Error(Status::kSystem,
                           what + ": a part of its path is not a directory; choose another cache.memory.file");
    case EISDIR:
      return Status::Error(Status::kSystem, what + ": it is a directory; cache.memory.file must name a file");
    case ELOOP:
      return Status::Error(
          Status::kForeign,
          what + ": it is a link, which is not followed; remove it or choose another cache.memory.file");
    case EROFS:
      return Status::Error(Status::kSystem, what + ": its filesystem is read-only; choose another cache.memory.file");
    default:
      return Status::System(what, error);
  }
}

uint64_t FreeBytes(int fd) {
  struct statfs fs;
  return fstatfs(fd, &fs) == 0 ? fs.f_bavail * static_cast<uint64_t>(fs.f_bsize) : 0;
}

Status SpaceError(const std::string& path, int fd, uint64_t needed) {
  const uint64_t available = FreeBytes(fd);
  return Status::Error(Status::kSpace,
                       "the filesystem of the cache file " + path + " has " + Mebibytes(available) +
                           " free, the cache needs " + Mebibytes(needed) +
                           "; set a smaller cache.memory.size, or enlarge the filesystem (docker run --shm-size)");
}

}  // namespace

std::string BootId() {
  char text[40] = {};
  const int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
  if (fd < 0) return "";
  const ssize_t got = read(fd, text, sizeof text - 1);
  close(fd);
  std::string id(text, got > 0 ? static_cast<size_t>(got) : 0);
  return id.substr(0, id.find('\n'));
}

Status ReadHeader(int fd, uint64_t fileSize, FileHeader* header) {
  char magic[sizeof kMagic];
  if (fileSize < sizeof magic || !ReadAll(fd, magic, sizeof magic, 0) ||
      std::memcmp(magic, kMagic, sizeof magic) != 0) {
    return Status::Error(Status::kForeign, "it is not a cache file of moovedge");
  }
  const auto damaged = [](std::string why) { return Status::Error(Status::kDamaged, std::move(why)); };
  if (fileSize < kPage || !ReadAll(fd, header, sizeof *header, 0))
    return damaged("the file was cut off inside its header");
  if (header->layoutVersion != kLayoutVersion || header->byteOrder != kByteOrder)
    return damaged("the file has the layout of another version");
  if (header->crc != HeaderCrc(*header)) return damaged("the header is damaged");
  Geometry derived;
  const Geometry& found = header->geometry;
  if (!MakeGeometry(uint64_t{found.slotCount} * kBlockSize, &derived) ||
      std::memcmp(&found, &derived, sizeof derived) != 0) {
    return damaged("the file has the geometry of another version");
  }
  if (header->state.load(std::memory_order_relaxed) != kReady)
    return damaged("the process that made the file did not finish");
  if (fileSize < found.fileSize) {
    return damaged("the file was cut off: it has " + std::to_string(fileSize) + " of " +
                   std::to_string(found.fileSize) + " bytes");
  }
  return {};
}

Status SharedFile::Open(const OpenOptions& options) {
  const Status status = OpenNamed(options);
  if (previous_.fd >= 0) close(previous_.fd);
  previous_.fd = -1;
  return status;
}

Status SharedFile::OpenNamed(const OpenOptions& options) {
  path_ = options.path;
  for (int attempt = 0; attempt < 100; attempt++) {
    bool again = false;
    Status status = OpenOnce(options, &again);
    if (!status.ok() || !again) {
      if (!status.ok()) Close();
      return status;
    }
    Close();
  }
  return Status::Error(Status::kSystem, "the cache file " + path_ +
                                            " is being replaced by another process over and over; stop one of them");
}

Status SharedFile::OpenOnce(const OpenOptions& options, bool* again) {
  const bool supervisor = options.role == Role::kSupervisor;
  const bool byName = !OpenInherited(options.descriptor);
  if (byName) {
    const Status folder = CheckFolder(path_);
    if (!folder.ok()) return folder;
    // O_NONBLOCK: a fifo in the place of the file must not block.
    fd_ = open(path_.c_str(), O_RDWR | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW | (supervisor ? O_CREAT : 0), 0600);
    if (fd_ < 0) return OpenError(path_, errno);
  }
  struct stat opened;
  if (fstat(fd_, &opened) != 0) return OpenError(path_, errno);
  if (!S_ISREG(opened.st_mode))
    return Status::Error(Status::kForeign,
                         "the cache file " + path_ + " is not a regular file; choose another cache.memory.file");
  if (!IsOwn(opened)) return ForeignError("the cache file " + path_, opened.st_uid);
  if (opened.st_uid == geteuid() && (opened.st_mode & 077) != 0 && fchmod(fd_, 0600) != 0)
    return Status::System("the cache file " + path_ + " can't be kept from other users", errno);
  Status status = TakeStart();
  if (!status.ok()) return status;
  struct stat named;
  if (byName && (stat(path_.c_str(), &named) != 0 || named.st_ino != opened.st_ino || named.st_dev != opened.st_dev)) {
    // It was replaced while this process waited for the lock.
    *again = supervisor || errno != ENOENT;
    return *again ? Status{} : OpenError(path_, ENOENT);
  }
  if (fstat(fd_, &opened) != 0) return OpenError(path_, errno);
  const uint64_t size = static_cast<uint64_t>(opened.st_size);

  FileHeader header = {};
  status = ReadHeader(fd_, size, &header);
  if (status.kind != Status::kForeign && header.crc == HeaderCrc(header)) seed_ = header.seed;
  if (supervisor) {
    if (IsLockedByOther(fd_, kHolderLock, 1) && !options.takeOver) {
      return Status::Error(Status::kHeld, "the cache file " + path_ + " is in use by the edge with pid " +
                                              std::to_string(header.holderPid.load(std::memory_order_relaxed)) +
                                              ", started at " +
                                              IsoTime(header.holderSince.load(std::memory_order_relaxed)) +
                                              "; stop it, or choose another cache.memory.file or port");
    }
    if (!TryLock(fd_, kHolderLock, false)) return Status::System("the cache file " + path_ + " can't be locked", errno);
  }
  if (status.kind == Status::kForeign) {
    if (!supervisor || !IsBlank(fd_, size)) {
      return Status::Error(Status::kForeign, "the cache file " + path_ + " can't be used: " + status.message +
                                                 "; remove it or choose another cache.memory.file");
    }
    if (created_.empty()) created_ = "there was none";
    return Create(options);
  }
  Geometry wanted;
  if (supervisor && status.ok() && !options.keepSize && MakeGeometry(options.bytes, &wanted) &&
      wanted.slotCount != header.geometry.slotCount) {
    status = Status::Error(Status::kDamaged, "the size has changed from " + std::to_string(header.geometry.slotCount) +
                                                 " to " + std::to_string(wanted.slotCount) + " blocks");
    const uint64_t bytes = RoundToPages(fd_, wanted.fileSize);
    if (!options.reserve || FreeBytes(fd_) >= bytes) {
      previous_.fd = open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
      previous_.geometry = header.geometry;
    } else if (options.takeOver) {
      // Whoever uses this file goes on with it.
      return SpaceError(path_, fd_, bytes);
    } else {
      status.message += " and both have no room side by side";
    }
  }
  if (!status.ok()) {
    if (!supervisor)
      return Status::Error(Status::kDamaged,
                           "the cache file " + path_ + " can't be used: " + status.message + "; restart the edge");
    // A new file under the same name: whoever still maps this one keeps it, and is not cut off under its feet.
    created_ = status.message;
    if (unlink(path_.c_str()) != 0) return Status::System("the cache file " + path_ + " can't be replaced", errno);
    *again = true;
    return {};
  }
  geometry_ = header.geometry;
  // A copy made by a tool may have holes, and writing into one is a SIGBUS when the filesystem is full.
  if (supervisor && options.reserve && static_cast<uint64_t>(opened.st_blocks) * 512 < geometry_.fileSize) {
    status = Reserve(geometry_.fileSize);
    if (!status.ok()) return status;
  }
  return Map(geometry_.fileSize);
}

/** Opens what `descriptor` has open once more, because locks belong to an open file; -1 where there is no /proc. */
static int OpenAnew(int descriptor) {
  return open(("/proc/self/fd/" + std::to_string(descriptor)).c_str(), O_RDWR | O_CLOEXEC | O_NONBLOCK);
}

bool SharedFile::OpenInherited(int descriptor) {
  if (descriptor < 0) return false;
  fd_ = OpenAnew(descriptor);
  return fd_ >= 0;
}

int SharedFile::Inheritable() const {
  if (inheritable_ < 0) inheritable_ = OpenAnew(fd_);
  return inheritable_ < 0 ? fd_ : inheritable_;
}

bool SharedFile::IsWhole() const {
  struct stat now;
  return fstat(fd_, &now) != 0 || static_cast<uint64_t>(now.st_size) >= geometry_.fileSize;
}

Status SharedFile::Create(const OpenOptions& options) {
  const auto giveUp = [this](Status status) {
    // Nobody else has seen the file in use: the start lock is held.
    unlink(path_.c_str());
    return status;
  };
  if (!MakeGeometry(options.bytes, &geometry_)) {
    return giveUp(Status::Error(Status::kArgument, "the cache's size must be between one block of " +
                                                       std::to_string(kBlockSize) + " bytes and " +
                                                       Mebibytes(kMaxBytes) + ", found " +
                                                       std::to_string(options.bytes) + " bytes"));
  }
  const uint64_t bytes = RoundToPages(fd_, geometry_.fileSize);
  struct statfs fs;
  if (options.reserve && fstatfs(fd_, &fs) == 0 && fs.f_type != HUGETLBFS_MAGIC &&
      fs.f_bavail * static_cast<uint64_t>(fs.f_bsize) < bytes) {
    return giveUp(SpaceError(path_, fd_, bytes));
  }
  // The header first: from here on the file is known as ours, whenever this process dies.
  Status status = Reserve(kPage);
  if (!status.ok()) return giveUp(status);
  if (ftruncate(fd_, static_cast<off_t>(bytes)) != 0)
    return giveUp(Status::System("the cache file " + path_ + " can't be made", errno));
  status = Map(geometry_.fileSize);
  if (!status.ok()) return giveUp(status);
  FileHeader& h = header();
  h.layoutVersion = kLayoutVersion;
  h.byteOrder = kByteOrder;
  h.geometry = geometry_;
  h.createdAt = RealtimeUs() / 1000;
  h.seed = seed_;
  if (h.seed == 0 && getrandom(&h.seed, sizeof h.seed, 0) != static_cast<ssize_t>(sizeof h.seed)) h.seed = RealtimeUs();
  h.state.store(kCreating, std::memory_order_relaxed);
  std::memcpy(h.magic, kMagic, sizeof kMagic);
  h.crc = HeaderCrc(h);
  if (options.reserve) {
    status = Reserve(bytes);
    if (!status.ok()) return giveUp(status);
  }
  if (previous_.fd >= 0) {
    const uint32_t carried = CarryOver(previous_.fd, previous_.geometry, base_, geometry_, h.seed);
    created_ += "; " + std::to_string(carried) + " blocks were taken along";
  }
  h.state.store(kReady, std::memory_order_release);
  return {};
}

Status SharedFile::Reserve(uint64_t bytes) {
  for (uint64_t at = 0; at < bytes;) {
    const uint64_t step = std::min(kReserveStep, bytes - at);
    if (fallocate(fd_, 0, static_cast<off_t>(at), static_cast<off_t>(step)) == 0) {
      at += step;
      continue;
    }
    int error = errno;
    if (error == EINTR) continue;
    // Filesystems without the call: the library writes instead.
    if (error == EOPNOTSUPP) {
      error = posix_fallocate(fd_, static_cast<off_t>(at), static_cast<off_t>(step));
      if (error == 0) {
        at += step;
        continue;
      }
    }
    if (error == ENOSPC || error == ENOMEM || error == EDQUOT) return SpaceError(path_, fd_, bytes);
    return Status::System("the space of the cache file " + path_ + " can't be reserved", error);
  }
  return {};
}

Status SharedFile::Map(uint64_t bytes) {
  mapped_ = RoundToPages(fd_, bytes);
  void* base = mmap(nullptr, mapped_, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd_, 0);
  if (base == MAP_FAILED) {
    mapped_ = 0;
    return Status::System("the cache file " + path_ + " can't be mapped (" + Mebibytes(bytes) +
                              "; is there a limit on address space, ulimit -v?)",
                          errno);
  }
  base_ = static_cast<uint8_t*>(base);
  ownsMapping_ = true;
  // Core dumps without the cache, and children between fork and exec without it.
  madvise(base_, mapped_, MADV_DONTDUMP);
  madvise(base_, mapped_, MADV_DONTFORK);
  // Of use where the tmpfs is mounted with huge=advise.
  madvise(base_, mapped_, MADV_HUGEPAGE);
  return {};
}

Status SharedFile::OpenBeside(const SharedFile& other) {
  path_ = other.path_;
  fd_ = open(path_.c_str(), O_RDWR | O_CLOEXEC);
  if (fd_ < 0) return OpenError(path_, errno);
  geometry_ = other.geometry_;
  base_ = other.base_;
  mapped_ = other.mapped_;
  Status status = TakeStart();
  if (!status.ok()) Close();
  return status;
}

Status SharedFile::TakeStart() {
  const int error = LockWithin(fd_, kStartLock, kStartTimeoutMs);
  if (error == 0) return {};
  if (error != ETIMEDOUT)
    return Status::System("the cache file " + path_ + " can't be locked; choose another cache.memory.file", error);
  return Status::Error(Status::kHeld, "another process has been opening the cache file " + path_ + " for " +
                                          std::to_string(kStartTimeoutMs / 1000) +
                                          " s; stop it, or choose another cache.memory.file");
}

void SharedFile::ReleaseStart() { Unlock(fd_, kStartLock); }

void SharedFile::Close() {
  if (base_ != nullptr && ownsMapping_) munmap(base_, mapped_);
  base_ = nullptr;
  ownsMapping_ = false;
  // Closing releases every lock of this open file.
  if (inheritable_ >= 0) close(inheritable_);
  inheritable_ = -1;
  if (fd_ >= 0) close(fd_);
  fd_ = -1;
}

}  // namespace shm
