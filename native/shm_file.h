// The shared file itself: creation, checks, mapping, and who may open it.
#ifndef MOOVEDGE_SHM_FILE_H_
#define MOOVEDGE_SHM_FILE_H_

#include <cstdint>
#include <string>

#include "shm_layout.h"
#include "shm_system.h"

namespace shm {

enum class Role : uint32_t {
  /** Creates the file when there is none; one at a time, but for a take-over. */
  kSupervisor = 1,
  /** Attaches to what a supervisor made. */
  kWorker = 2,
};

struct OpenOptions {
  std::string path;
  Role role = Role::kWorker;
  /**
   * An open descriptor of the file, for a worker of a supervisor that has it open: its name may be gone. -1: by name.
   */
  int descriptor = -1;
  /** Supervisor: bytes of blocks of a new file. */
  uint64_t bytes = 0;
  /** Supervisor: a file of another size is used as it is. Else one of the right size takes its blocks and its name. */
  bool keepSize = false;
  /** Supervisor: opens although another supervisor has the file, which learns of it by `IsHolder`. */
  bool takeOver = false;
  /** Reserves the space of a new file, so that running out of it is an error now and not a SIGBUS later. */
  bool reserve = true;
};

class SharedFile {
 public:
  SharedFile() = default;
  SharedFile(const SharedFile&) = delete;
  SharedFile& operator=(const SharedFile&) = delete;
  ~SharedFile() { Close(); }

  /** Opens, checks and maps the file. On success the start lock is held until `ReleaseStart`. */
  Status Open(const OpenOptions& options);
  /** As Open for a worker, but shares the mapping of `other`, which must outlive this. */
  Status OpenBeside(const SharedFile& other);
  /** Takes the start lock, to open or to leave. kHeld when somebody else keeps it for too long. */
  Status TakeStart();
  void ReleaseStart();
  void Close();

  /** False when somebody has cut the file off: touching what is missing ends the process. */
  bool IsWhole() const;

  int fd() const { return fd_; }
  /**
   * A descriptor for other processes to inherit: opened on its own, since whoever inherits `fd()` would keep this
   * process's locks alive. `fd()` itself where there is no /proc.
   */
  int Inheritable() const;
  uint8_t* base() const { return base_; }
  FileHeader& header() const { return *reinterpret_cast<FileHeader*>(base_); }
  const Geometry& geometry() const { return geometry_; }
  /** Non-empty when the file was made by `Open`: why. */
  const std::string& created() const { return created_; }

 private:
  /** A file of another size that stood under the name; its blocks go into the new one. */
  struct Previous {
    int fd = -1;
    Geometry geometry = {};
  };

  Status OpenNamed(const OpenOptions& options);
  /** Opens what `descriptor` has open; false when it is none. */
  bool OpenInherited(int descriptor);
  Status OpenOnce(const OpenOptions& options, bool* again);
  Status Create(const OpenOptions& options);
  Status Reserve(uint64_t bytes);
  Status Map(uint64_t bytes);

  std::string path_;
  std::string created_;
  /** Seed of the file whose place a new one takes, which goes on with it; 0 when there was none. */
  uint64_t seed_ = 0;
  int fd_ = -1;
  mutable int inheritable_ = -1;
  uint8_t* base_ = nullptr;
  uint64_t mapped_ = 0;
  bool ownsMapping_ = false;
  Previous previous_;
  Geometry geometry_ = {};
};

/**
 * Reads and checks the header of an open file.
 * @return kForeign when the file is not ours, kDamaged with the reason when it is but can't be used
 */
Status ReadHeader(int fd, uint64_t fileSize, FileHeader* header);

/** Id of this boot of the machine, at most 39 characters. */
std::string BootId();

}  // namespace shm

#endif  // MOOVEDGE_SHM_FILE_H_
