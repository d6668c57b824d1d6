// The file of a live stream: making, opening, checking and mapping it, and what reader and writer do alike.
#ifndef MOOVEDGE_LIVE_RING_FILE_H_
#define MOOVEDGE_LIVE_RING_FILE_H_

#include <cstdint>
#include <string>

#include "live_ring_layout.h"
#include "shm_system.h"

namespace live {

using shm::Status;

/** What the ends of a ring say at one moment. */
struct Ends {
  uint64_t head;
  uint64_t tail;
};

class RingFile {
 public:
  RingFile() = default;
  RingFile(const RingFile&) = delete;
  RingFile& operator=(const RingFile&) = delete;
  ~RingFile() { Close(); }

  /**
   * Makes the file anew, whatever stood under its name, and maps it for writing.
   * `createdAt`: milliseconds since 1970; 0 is now.
   */
  Status Create(const std::string& path, uint64_t bytes, uint32_t keepMs, uint32_t segmentMs, uint64_t createdAt);
  /** Opens and checks a file that there is. */
  Status Open(const std::string& path, bool write);
  void Close();

  bool isOpen() const { return control_ != nullptr; }
  int fd() const { return fd_; }
  RingHeader& header() const { return *reinterpret_cast<RingHeader*>(control_); }
  /** As it was when the file was opened; what stands in the file is not looked at again. */
  const Geometry& geometry() const { return geometry_; }
  uint32_t keepMs() const { return keepMs_; }
  uint32_t segmentMs() const { return segmentMs_; }
  /** The data, twice in a row. */
  uint8_t* data() const { return data_; }
  Entry& entry(uint64_t sequence) const {
    return reinterpret_cast<Entry*>(control_ + geometry_.index)[sequence & (geometry_.entries - 1)];
  }
  HeaderSlot& slot(uint32_t version) const {
    return *reinterpret_cast<HeaderSlot*>(control_ + geometry_.headers +
                                          uint64_t{version % kHeaderSlots} * kHeaderSlotBytes);
  }
  uint8_t* slotBytes(uint32_t version) const { return reinterpret_cast<uint8_t*>(&slot(version)) + sizeof(HeaderSlot); }

  /**
   * Reads the entry of a tag. False when there is none, or it makes no sense: then the reader was overrun, or somebody
   * has damaged the file.
   */
  bool ReadTag(uint64_t sequence, Tag* tag) const;
  /** False when the ends make no sense. */
  bool ReadEnds(Ends* ends) const;
  /** False when somebody has cut the file off: touching what is missing ends the process. */
  bool IsWhole() const;
  /** True while the process lives that writes. */
  bool HasWriter() const { return shm::IsLockedByOther(fd_, kWriterLock, 1); }

 private:
  Status Map(bool write);

  int fd_ = -1;
  uint8_t* control_ = nullptr;
  uint8_t* data_ = nullptr;
  Geometry geometry_ = {};
  uint32_t keepMs_ = 0;
  uint32_t segmentMs_ = 0;
};

}  // namespace live

#endif  // MOOVEDGE_LIVE_RING_FILE_H_
