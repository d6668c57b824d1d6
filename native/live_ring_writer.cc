#include "live_ring_writer.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <unistd.h>

#include "live_ring_words.h"

namespace live {

namespace {

/** Milliseconds between two places at which a decoder can begin, where there is no video. */
constexpr int64_t kSoundJoinMs = 1000;
/** Segments without a key frame last at most so many times as long as others, and so many milliseconds at least. */
constexpr int64_t kLongSegment = 5;
constexpr int64_t kLongSegmentMs = 10'000;
/** Tags for which what is too old is looked at in one go. */
constexpr int kLetGoAtOnce = 64;

constexpr uint32_t kVideo = 9;
constexpr uint32_t kAudio = 8;
constexpr uint32_t kScript = 18;

/** Milliseconds from one timestamp to another, which may be a little before it: tracks are not quite interleaved. */
int64_t Since(uint32_t earlier, uint32_t later) { return int64_t{later} - int64_t{earlier}; }

void PutBig(uint8_t* to, uint32_t value, int bytes) {
  for (int i = 0; i < bytes; i++) to[i] = static_cast<uint8_t>(value >> (8 * (bytes - 1 - i)));
}

}  // namespace

Status RingWriter::Create(const std::string& path, uint64_t bytes, uint32_t keepMs, uint32_t segmentMs,
                          uint64_t createdAt) {
  path_ = path;
  Status status = file_.Create(path, bytes, keepMs, segmentMs, createdAt);
  if (status.ok()) status = TakeLease();
  if (!status.ok()) {
    file_.Close();
    return status;
  }
  last_.join = kNone;
  last_.joinBefore = kNone;
  BeginNumbers();
  cutsSegment_ = true;
  return {};
}

void RingWriter::BeginNumbers() {
  // A stream that comes again has higher numbers than before: a segment is hardly ever shorter than `segmentMs`.
  const RingHeader& header = file_.header();
  last_.segment = static_cast<uint32_t>(header.createdAt / file_.segmentMs());
}

Status RingWriter::Adopt(const std::string& path) {
  path_ = path;
  Status status = file_.Open(path, true);
  if (status.ok()) status = TakeLease();
  if (!status.ok()) {
    file_.Close();
    return status;
  }
  const RingHeader& header = file_.header();
  const Geometry& g = file_.geometry();
  Ends ends = {};
  Tag newest = {};
  const bool makesSense = file_.ReadEnds(&ends) && (ends.head == 0 || file_.ReadTag(ends.head - 1, &newest));
  if (!makesSense) {
    file_.Close();
    return Status::Error(Status::kDamaged,
                         "the file " + path + " of a live stream can't be used: its ends make no sense");
  }
  head_ = ends.head;
  tail_ = ends.tail;
  last_ = newest;
  if (head_ == 0) {
    last_.join = kNone;
    last_.joinBefore = kNone;
    BeginNumbers();
    last_.epoch = header.epoch.load(std::memory_order_relaxed);
  }
  position_ = head_ == 0 ? 0 : newest.position + newest.length;
  Tag oldest = {};
  const uint64_t first = tail_ < head_ && file_.ReadTag(tail_, &oldest) ? oldest.position : position_;
  if (first > position_ || position_ - first > g.dataBytes) SetTail(head_);
  allocated_ = position_ / kChunk * kChunk;
  freed_ = first / kChunk * kChunk;
  version_ = header.version.load(std::memory_order_relaxed);
  tracks_ = version_ == 0 ? 0 : file_.slot(version_).tracks.load(std::memory_order_relaxed);
  cutsSegment_ = true;
  breaks_ = head_ > 0;
  // What the dead writer was about to send is lost, and with it what depends on it.
  isBroken_ = head_ > 0 && (tracks_ & 1) != 0;
  return {};
}

Status RingWriter::TakeLease() {
  if (!shm::TryLock(file_.fd(), kWriterLock, true))
    return Status::Error(Status::kHeld, "another process writes the live stream of " + path_);
  RingHeader& header = file_.header();
  const uint64_t number = (header.lease.load(std::memory_order_relaxed) >> 32) + 1;
  lease_ = number << 32 | static_cast<uint32_t>(getpid());
  // Relaxed: the lock orders writers; readers only tell people.
  header.lease.store(lease_, std::memory_order_relaxed);
  return {};
}

void RingWriter::Remove() {
  if (file_.isOpen()) unlink(path_.c_str());
}

void RingWriter::SetTail(uint64_t tail) {
  tail_ = tail;
  // Relaxed: what is written over what lies before it is written with release.
  file_.header().tail.store(tail, std::memory_order_relaxed);
}

bool RingWriter::MakeRoom(uint64_t length) {
  const Geometry& g = file_.geometry();
  // A piece stays free, so that pieces can be allocated ahead without touching what is still read.
  const uint64_t most = g.dataBytes - kChunk;
  if (length > most / 2) return false;
  uint64_t tail = tail_;
  Tag oldest = {};
  while (tail < head_) {
    const bool fits = head_ - tail < g.entries - 1 && file_.ReadTag(tail, &oldest) &&
                      position_ + length - oldest.position <= most && oldest.version + kHeaderSlots > version_;
    if (fits) break;
    tail++;
  }
  if (tail != tail_) SetTail(tail);
  while (allocated_ < position_ + length) {
    const off_t offset = static_cast<off_t>(g.data + allocated_ % g.dataBytes);
    if (fallocate(file_.fd(), FALLOC_FL_KEEP_SIZE, offset, static_cast<off_t>(kChunk)) != 0) return false;
    allocated_ += kChunk;
  }
  return true;
}

void RingWriter::LetGo() {
  Tag oldest = {};
  uint64_t tail = tail_;
  for (int i = 0; i < kLetGoAtOnce && tail < head_; i++, tail++) {
    // At least two places to begin at are kept, and all that came since the first of them.
    if (last_.joinBefore == kNone || tail >= last_.joinBefore || !file_.ReadTag(tail, &oldest)) break;
    const int64_t age = oldest.epoch == last_.epoch ? Since(oldest.timestamp, last_.timestamp)
                                                    : static_cast<int64_t>((last_.arrived - oldest.arrived) / 1000);
    if (age <= int64_t{file_.keepMs()}) break;
  }
  if (tail != tail_) SetTail(tail);
  if (tail_ >= head_ || !file_.ReadTag(tail_, &oldest)) return;
  const Geometry& g = file_.geometry();
  // What has been allocated again is not given back, and a piece behind the tail is left to readers that are late.
  if (allocated_ > g.dataBytes) freed_ = std::max(freed_, allocated_ - g.dataBytes);
  for (; freed_ + 2 * kChunk <= oldest.position; freed_ += kChunk) {
    const off_t offset = static_cast<off_t>(g.data + freed_ % g.dataBytes);
    fallocate(file_.fd(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, static_cast<off_t>(kChunk));
  }
}

bool RingWriter::SetHeaders(const Headers& headers) {
  const Piece* parts[kHeaderParts] = {&headers.metadata, &headers.video, &headers.audio, &headers.extra};
  size_t size = 0;
  for (const Piece* part : parts) {
    if (part->length > kHeaderBytes) return false;
    size += part->length;
  }
  if (size > kHeaderBytes) return false;
  const uint32_t tracks = (headers.hasVideo ? 1u : 0u) | (headers.hasAudio ? 2u : 0u);
  // Each part against the version before.
  uint32_t changed = 0;
  bool isSame = version_ > 0 && tracks == tracks_;
  bool isSameMedia = isSame;
  size_t at = 0;
  for (int i = 0; i < kHeaderParts; i++) {
    size_t length = 0;
    if (version_ > 0) length = file_.slot(version_).lengths[i].load(std::memory_order_relaxed);
    const bool same = version_ > 0 && length == parts[i]->length && at + length <= kHeaderBytes &&
                      (length == 0 || std::memcmp(file_.slotBytes(version_) + at, parts[i]->bytes, length) == 0);
    if (!same && parts[i]->length > 0 && parts[i] != &headers.extra) changed |= 1u << i;
    isSame = isSame && same;
    isSameMedia = isSameMedia && (same || parts[i] == &headers.metadata || parts[i] == &headers.extra);
    at += std::min<size_t>(length, kHeaderBytes);
  }
  if (isSame) return true;
  const uint32_t version = version_ + 1;
  HeaderSlot& slot = file_.slot(version);
  // The version that goes is needed by no tag any more.
  Tag oldest = {};
  uint64_t tail = tail_;
  while (tail < head_ && !(file_.ReadTag(tail, &oldest) && oldest.version + kHeaderSlots > version)) tail++;
  if (tail != tail_) SetTail(tail);
  // Relaxed, then release for what follows: a reader that sees any of it sees that the version is gone.
  slot.version.store(0, std::memory_order_relaxed);
  slot.tracks.store(tracks, std::memory_order_release);
  uint8_t* bytes = file_.slotBytes(version);
  for (int i = 0; i < kHeaderParts; i++) {
    slot.lengths[i].store(static_cast<uint32_t>(parts[i]->length), std::memory_order_release);
    CopyIn(bytes, parts[i]->bytes, parts[i]->length);
    bytes += parts[i]->length;
  }
  // Release: whoever sees the version sees its bytes.
  slot.version.store(version, std::memory_order_release);
  file_.header().version.store(version, std::memory_order_release);
  version_ = version;
  tracks_ = tracks;
  changed_ |= changed;
  if (head_ > 0 && !isSameMedia) breaks_ = true;
  return true;
}

void RingWriter::Write(uint32_t flags, uint32_t timestamp, const Piece* pieces, size_t count, uint32_t length) {
  const Geometry& g = file_.geometry();
  uint8_t edge[kTagHead] = {};
  edge[0] = static_cast<uint8_t>(flags & kTypeMask);
  PutBig(edge + 1, length, 3);
  PutBig(edge + 4, timestamp & 0xffffff, 3);
  edge[7] = static_cast<uint8_t>(timestamp >> 24);
  // The data are mapped twice in a row: a tag is never broken.
  uint8_t* to = file_.data() + position_ % g.dataBytes;
  CopyIn(to, edge, kTagHead);
  to += kTagHead;
  for (size_t i = 0; i < count; i++) {
    CopyIn(to, pieces[i].bytes, pieces[i].length);
    to += pieces[i].length;
  }
  PutBig(edge, kTagHead + length, kTagTail);
  CopyIn(to, edge, kTagTail);

  Tag tag = last_;
  tag.position = position_;
  tag.length = kTagHead + length + kTagTail;
  tag.timestamp = timestamp;
  tag.flags = flags;
  tag.version = version_;
  tag.arrived = shm::MonotonicUs();
  if ((flags & kJoin) != 0) {
    tag.joinBefore = last_.join;
    tag.join = head_;
  }
  Entry& entry = file_.entry(head_);
  const uint64_t words[8] = {head_ + 1,
                             tag.position,
                             uint64_t{tag.timestamp} << 32 | tag.length,
                             uint64_t{tag.version} << 32 | tag.epoch << kFlagBits | tag.flags,
                             uint64_t{tag.segment} << 32 | tag.discontinuity,
                             tag.join,
                             tag.joinBefore,
                             tag.arrived};
  entry.words[0].store(0, std::memory_order_relaxed);
  // Release: who sees a new word sees that the sequence is gone, and who sees the sequence sees all words.
  for (int i = 1; i < 8; i++) entry.words[i].store(words[i], std::memory_order_release);
  entry.words[0].store(words[0], std::memory_order_release);
  last_ = tag;
  position_ += tag.length;
  head_++;
  // Release: whoever sees the head sees the tag.
  file_.header().head.store(head_, std::memory_order_release);
}

void RingWriter::PutHeaderTags(uint32_t timestamp) {
  constexpr uint32_t types[3] = {kScript, kVideo, kAudio};
  const HeaderSlot& slot = file_.slot(version_);
  size_t at = 0;
  for (int i = 0; i < 3; i++) {
    const size_t length = slot.lengths[i].load(std::memory_order_relaxed);
    const Piece piece = {file_.slotBytes(version_) + at, length};
    at += length;
    if (at > kHeaderBytes) return;
    if ((changed_ & (1u << i)) == 0 || length == 0 || !MakeRoom(length + kTagHead + kTagTail)) continue;
    Write(types[i] | kHeaderTag, timestamp, &piece, 1, static_cast<uint32_t>(length));
  }
}

void RingWriter::NoteSegment(const NewTag& tag) {
  if (isNumbered_) {
    if (cutsSegment_) last_.segment++;
    cutsSegment_ = false;
    segmentStart_ = tag.timestamp;
    return;
  }
  const int64_t least = file_.segmentMs();
  const int64_t lasts = Since(segmentStart_, tag.timestamp);
  const bool begins = (tracks_ & 1) != 0 ? tag.keyFrame : true;
  const bool isTooLong = lasts >= std::max(kLongSegmentMs, kLongSegment * least);
  if (!breaks_ && !cutsSegment_ && !isTooLong && !(lasts >= least && begins)) return;
  last_.segment++;
  if (breaks_) last_.discontinuity++;
  segmentStart_ = tag.timestamp;
  cutsSegment_ = false;
  breaks_ = false;
}

Appended RingWriter::Append(const NewTag& tag) {
  // Relaxed: a writer that was taken for dead looks at a word that nobody else writes while it lives.
  if (file_.header().lease.load(std::memory_order_relaxed) != lease_) return Appended::kLost;
  uint64_t length = 0;
  for (size_t i = 0; i < tag.count; i++) {
    length += tag.pieces[i].length;
    if (length > kMaxTagData) return Appended::kDropped;
  }
  const bool isKeyFrame = tag.keyFrame && tag.type == kVideo;
  const bool hasVideo = (tracks_ & 1) != 0;
  if (isBroken_ && hasVideo && tag.type == kVideo && !isKeyFrame) return Appended::kDropped;
  if (!MakeRoom(length + kTagHead + kTagTail)) {
    isBroken_ = true;
    return Appended::kDropped;
  }
  if (isKeyFrame || !hasVideo) isBroken_ = false;
  NewTag noted = tag;
  noted.keyFrame = isKeyFrame;
  NoteSegment(noted);
  if (changed_ != 0) {
    if (head_ > 0) PutHeaderTags(tag.timestamp);
    changed_ = 0;
    if (!MakeRoom(length + kTagHead + kTagTail)) {
      isBroken_ = true;
      return Appended::kDropped;
    }
  }
  uint32_t flags = tag.type & kTypeMask;
  if (isKeyFrame) flags |= kKeyFrame | kJoin;
  if (!hasVideo && tag.type == kAudio) {
    Tag join = {};
    const bool isDue = last_.join == kNone || !file_.ReadTag(last_.join, &join) || join.epoch != last_.epoch ||
                       join.version != version_ || Since(join.timestamp, tag.timestamp) >= kSoundJoinMs;
    if (isDue) flags |= kJoin;
  }
  Write(flags, tag.timestamp, tag.pieces, tag.count, static_cast<uint32_t>(length));
  LetGo();
  return Appended::kYes;
}

void RingWriter::SetState(State state) {
  RingHeader& header = file_.header();
  // Another publisher, or another beginning of the same.
  if (state == State::kPublishing) {
    breaks_ = head_ > 0;
    isNumbered_ = false;
  }
  header.stateSince.store(shm::MonotonicMs(), std::memory_order_relaxed);
  // Release: whoever sees the state sees since when, and all tags that came before.
  header.state.store(static_cast<uint32_t>(state), std::memory_order_release);
}

void RingWriter::BeginNumbers(uint32_t segment, uint32_t discontinuity) {
  if (segment == 0) return;
  isNumbered_ = true;
  breaks_ = false;
  cutsSegment_ = head_ == 0 || segment != last_.segment || discontinuity != last_.discontinuity;
  if (!cutsSegment_) {
    // It goes on behind the newest tag, whoever wrote that.
    isBroken_ = false;
    return;
  }
  // By the distance, since they are the low 32 bits of numbers.
  const bool isAhead = head_ == 0 || static_cast<int32_t>(segment - last_.segment) > 0;
  const bool isOther = discontinuity != last_.discontinuity;
  if (isAhead) last_.segment = segment - 1;
  const bool isLater = head_ == 0 || discontinuity > last_.discontinuity;
  if (isLater) last_.discontinuity = discontinuity;
  if (isOther && !isLater) last_.discontinuity++;
}

void RingWriter::NewEpoch() {
  last_.epoch = (last_.epoch + 1) & 0xff;
  segmentStart_ = 0;
  breaks_ = true;
  // Relaxed: readers go by what tags say.
  file_.header().epoch.store(last_.epoch, std::memory_order_relaxed);
}

}  // namespace live
