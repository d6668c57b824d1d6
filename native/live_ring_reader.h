// What a process that sends a live stream reads of its ring.
#ifndef MOOVEDGE_LIVE_RING_READER_H_
#define MOOVEDGE_LIVE_RING_READER_H_

#include <cstdint>
#include <string>
#include <vector>

#include "live_ring_file.h"

namespace live {

/** Tags that follow one another: whole, and in one piece. */
struct Run {
  /** Sequence behind the last. */
  uint64_t end;
  /** Offset in the data of the first byte, and bytes. */
  uint64_t offset;
  uint64_t length;
};

/** A copy of a version of the headers. */
struct HeaderCopy {
  uint32_t tracks;
  uint32_t lengths[kHeaderParts];
  std::vector<uint8_t> bytes;
};

class RingReader {
 public:
  Status Open(const std::string& path) { return file_.Open(path, false); }
  void Close() { file_.Close(); }
  const RingFile& file() const { return file_; }

  /**
   * Tags from `first` on, before `end`, as many as have one piece of at most `most` bytes, but one at least. False when
   * the first is not there any more.
   */
  bool FindRun(uint64_t first, uint64_t end, uint64_t most, Run* run) const;
  /** False when tag `first` may have been overwritten in part before this call. */
  bool Holds(uint64_t first) const;
  /** False when the version is not there any more. */
  bool ReadHeaders(uint32_t version, HeaderCopy* headers) const;

 private:
  RingFile file_;
};

}  // namespace live

#endif  // MOOVEDGE_LIVE_RING_READER_H_
