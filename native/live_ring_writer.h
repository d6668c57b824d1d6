// The one process that writes the ring of a live stream.
#ifndef MOOVEDGE_LIVE_RING_WRITER_H_
#define MOOVEDGE_LIVE_RING_WRITER_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "live_ring_file.h"

namespace live {

/** Bytes that somebody else owns. */
struct Piece {
  const uint8_t* bytes;
  size_t length;
};

/** Headers of a stream: the data of their FLV tags, empty where there is none. */
struct Headers {
  Piece metadata;
  Piece video;
  Piece audio;
  /** Whole tags of further headers, one after the other. */
  Piece extra;
  bool hasVideo;
  bool hasAudio;
};

/** A tag that is to be appended. */
struct NewTag {
  /** FLV tag type: 8, 9 or 18. */
  uint32_t type;
  /** Milliseconds. */
  uint32_t timestamp;
  bool keyFrame;
  const Piece* pieces;
  size_t count;
};

enum class Appended {
  kYes,
  /** There is no room in memory, or it was before and no key frame has come since: nobody gets the tag. */
  kDropped,
  /** Another process writes this ring now. */
  kLost,
};

class RingWriter {
 public:
  RingWriter() = default;
  /** Makes a ring; the file is there until `Remove`. */
  Status Create(const std::string& path, uint64_t bytes, uint32_t keepMs, uint32_t segmentMs, uint64_t createdAt = 0);
  /** Goes on with the ring of a writer that died. kHeld while it lives. */
  Status Adopt(const std::string& path);
  void Close() { file_.Close(); }
  /** Removes the file's name; readers keep what they have mapped. */
  void Remove();

  bool isOpen() const { return file_.isOpen(); }
  /** False when they are larger than a slot. A new version, repeated before the next tag where one came before. */
  bool SetHeaders(const Headers& headers);
  Appended Append(const NewTag& tag);
  void SetState(State state);
  void NewEpoch();
  /**
   * Segments are numbered elsewhere from here on, up to the next publisher: the next tag is of this one, and so are
   * those behind it. Numbers that would go back count as the next ones.
   */
  void BeginNumbers(uint32_t segment, uint32_t discontinuity);
  const RingFile& file() const { return file_; }
  /** Of the newest tag; 0 when there is none. */
  uint32_t timestamp() const { return last_.timestamp; }

  /** Sequence behind the newest tag. */
  uint64_t head() const { return head_; }
  /** When it came, in microseconds of the monotonic clock. */
  uint64_t arrived() const { return last_.arrived; }

 private:
  Status TakeLease();
  bool MakeRoom(uint64_t length);
  void LetGo();
  void SetTail(uint64_t tail);
  void Write(uint32_t flags, uint32_t timestamp, const Piece* pieces, size_t count, uint32_t length);
  void PutHeaderTags(uint32_t timestamp);
  void NoteSegment(const NewTag& tag);
  void BeginNumbers();

  RingFile file_;
  std::string path_;
  uint64_t lease_ = 0;
  uint64_t head_ = 0;
  uint64_t tail_ = 0;
  /** Of the byte behind the newest tag. */
  uint64_t position_ = 0;
  /** Data up to here are allocated, and up to here given back. */
  uint64_t allocated_ = 0;
  uint64_t freed_ = 0;
  uint32_t version_ = 0;
  uint32_t tracks_ = 0;
  /** Bits 0 to 2: metadata, video, audio header have to be repeated. */
  uint32_t changed_ = 0;
  /** A tag was dropped: what follows can't be decoded up to the next key frame. */
  bool isBroken_ = false;
  /** The newest tag. */
  Tag last_ = {};
  /** First timestamp of the segment at hand. */
  uint32_t segmentStart_ = 0;
  /** The next tag begins a segment; and does not go on from the tag before. */
  bool cutsSegment_ = false;
  bool breaks_ = false;
  /** Segments begin where `BeginNumbers` says so. */
  bool isNumbered_ = false;
};

}  // namespace live

#endif  // MOOVEDGE_LIVE_RING_WRITER_H_
