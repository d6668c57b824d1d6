// The file of one live stream: what its publisher's process writes and every worker reads.
//
//   header    one page: geometry, the writer's lease, the ends of the ring
//   index     an entry for each of the newest tags, in a ring
//   headers   the newest versions of what a decoder needs before any tag, in a ring of slots
//   data      FLV tags as viewers get them, in a ring of bytes; mapped twice in a row, so that no run of tags is broken
//
// There is one writer. Readers map the file read-only: they lock nothing and pin nothing, so whatever they have copied
// may have been overwritten meanwhile, and they look at the tail afterwards. Sequences and positions count tags and
// bytes since the ring was made and never go back.
//
// Any process may die at any instruction. The writer writes a tag's bytes, then its entry, then the head: what lies
// past the head does not exist, and all that a later writer has to know stands in the entry before it.
#ifndef MOOVEDGE_LIVE_RING_LAYOUT_H_
#define MOOVEDGE_LIVE_RING_LAYOUT_H_

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace live {

constexpr char kMagic[16] = "moovedge live";
/** Raised whenever the meaning of a byte of the file changes. */
constexpr uint32_t kLayoutVersion = 3;
constexpr uint32_t kByteOrder = 0x01020304;
constexpr uint32_t kReady = 0x72656164;

constexpr uint64_t kPage = 4096;
/** Data are allocated and given back in pieces of this size. */
constexpr uint64_t kChunk = 256 * 1024;
constexpr uint64_t kMinData = 4 * kChunk;
constexpr uint64_t kMaxData = uint64_t{1} << 30;
constexpr uint32_t kMinEntries = 1024;
constexpr uint32_t kMaxEntries = 16384;
/** Bytes of data for each entry of the index. */
constexpr uint64_t kDataPerEntry = 1024;
constexpr uint32_t kHeaderSlots = 8;
constexpr uint32_t kHeaderSlotBytes = 64 * 1024;

/** An FLV tag around its data: 11 bytes before and 4 behind (Adobe FLV 10.1, section E.4.1). */
constexpr uint32_t kTagHead = 11;
constexpr uint32_t kTagTail = 4;
constexpr uint32_t kMaxTagData = 0xffffff;

/** The byte, past the file's end, that the writer holds a lock of as long as it lives. */
constexpr int64_t kWriterLock = int64_t{1} << 62;

/** Everything about a file that follows from its bytes of data. Offsets and sizes in bytes. */
struct Geometry {
  uint64_t fileSize;
  uint64_t index;
  uint64_t headers;
  uint64_t data;
  uint64_t dataBytes;
  /** A power of two. */
  uint32_t entries;
  uint32_t headerSlots;
};

enum class State : uint32_t {
  kPublishing = 1,
  /** The publisher went; another one may go on. */
  kWaiting = 2,
  kEnded = 3,
};

struct RingHeader {
  // Written once, when the file is made, and covered by `crc`.
  char magic[16];
  uint32_t layoutVersion;
  uint32_t byteOrder;
  Geometry geometry;
  /** Milliseconds of media that are kept, and of a segment. */
  uint32_t keepMs;
  uint32_t segmentMs;
  /**
   * When the ring was made: milliseconds since 1970, and microseconds of the monotonic clock. Of a stream that is
   * pulled it is when the first ring of it was made, elsewhere; the clock may not have run then, and its time is
   * negative.
   */
  uint64_t createdAt;
  uint64_t createdUs;
  uint32_t crc;

  /** kReady when all above is written. */
  std::atomic<uint32_t> ready;
  /** Number of the writer << 32 | pid; each writer has a higher number than the one before. */
  std::atomic<uint64_t> lease;
  /** Sequence that the next tag will have. */
  alignas(64) std::atomic<uint64_t> head;
  /** Sequence of the first tag that is whole. */
  std::atomic<uint64_t> tail;
  /** Newest version of the headers; 0 when there is none. */
  std::atomic<uint32_t> version;
  /** `State`, and when it began in milliseconds of the monotonic clock. */
  std::atomic<uint32_t> state;
  std::atomic<uint64_t> stateSince;
  /** Number of the timeline, below 256 as in tags: timestamps begin anew with each. */
  std::atomic<uint32_t> epoch;
  uint32_t reserved;
};

/** Bits of `Tag::flags` above the FLV tag type. */
constexpr uint32_t kTypeMask = 0x1f;
constexpr uint32_t kKeyFrame = 0x100;
/** A decoder can begin here: a key frame, or where there is no video a sound now and then. */
constexpr uint32_t kJoin = 0x200;
/** Repeats a header that has changed. */
constexpr uint32_t kHeaderTag = 0x400;
/** The flags' bits of the entry in the file; those above are the epoch. */
constexpr uint32_t kFlagBits = 24;

constexpr uint64_t kNone = UINT64_MAX;

/** What the index tells of a tag. */
struct Tag {
  /** Of its first byte, the FLV tag's head included. */
  uint64_t position;
  /** Bytes with head and tail. */
  uint32_t length;
  /** Milliseconds. */
  uint32_t timestamp;
  uint32_t flags;
  /** Of the headers that it is decoded with. */
  uint32_t version;
  /** Low 8 bits of the number of the timeline. */
  uint32_t epoch;
  /** Low 32 bits of the number of the HLS segment that it belongs to, which only grows by one at a time. */
  uint32_t segment;
  /**
   * Number, from 0, of the run of tags that one publisher sent with the same codecs on one timeline. Grows by one at a
   * time, at the beginning of a segment.
   */
  uint32_t discontinuity;
  /** Sequence of the newest tag, up to this one, at which a decoder can begin; kNone when there is none. */
  uint64_t join;
  /** Sequence of the one before that; kNone when there is none. */
  uint64_t joinBefore;
  /** When it came, in microseconds of the monotonic clock. */
  uint64_t arrived;
};

/**
 * An entry as it stands in the file: words, each read and written at once, so that a reader that is too late sees
 * nonsense but never what the language leaves undefined. The first word is the sequence plus one.
 */
struct alignas(64) Entry {
  std::atomic<uint64_t> words[8];
};

/** Parts that a version of the headers has. */
constexpr int kHeaderParts = 4;

/** A version of the headers; the bytes follow. */
struct HeaderSlot {
  /** 0 while it is written. */
  std::atomic<uint32_t> version;
  /** 1: there is video, 2: there is audio. */
  std::atomic<uint32_t> tracks;
  /** Bytes of metadata, video and audio header, and of tags of further ones, which lie one after the other. */
  std::atomic<uint32_t> lengths[kHeaderParts];
  std::atomic<uint32_t> reserved[10];
};

static_assert(sizeof(Entry) == 64 && sizeof(HeaderSlot) == 64 && sizeof(RingHeader) <= kPage, "layout");
static_assert(std::atomic<uint64_t>::is_always_lock_free, "words of a shared file are read and written at once");

constexpr uint32_t kHeaderBytes = kHeaderSlotBytes - sizeof(HeaderSlot);

/** The geometry for so many bytes of data; false when that is too little or too much. */
inline bool MakeGeometry(uint64_t bytes, Geometry* geometry) {
  if (bytes < kMinData || bytes > kMaxData) return false;
  const uint64_t data = (bytes + kChunk - 1) / kChunk * kChunk;
  uint32_t entries = kMinEntries;
  while (entries < kMaxEntries && entries * kDataPerEntry < data) entries *= 2;
  geometry->index = kPage;
  geometry->headers = geometry->index + uint64_t{entries} * sizeof(Entry);
  geometry->data = geometry->headers + uint64_t{kHeaderSlots} * kHeaderSlotBytes;
  geometry->dataBytes = data;
  geometry->fileSize = geometry->data + data;
  geometry->entries = entries;
  geometry->headerSlots = kHeaderSlots;
  return true;
}

}  // namespace live

#endif  // MOOVEDGE_LIVE_RING_LAYOUT_H_
