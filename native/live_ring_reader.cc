#include "live_ring_reader.h"

#include "live_ring_words.h"

namespace live {

bool RingReader::FindRun(uint64_t first, uint64_t end, uint64_t most, Run* run) const {
  Tag begin = {};
  if (first >= end || !file_.ReadTag(first, &begin)) return false;
  const uint64_t room = file_.geometry().dataBytes;
  // Behind the last tag that fits: positions grow with sequences, so half of what is left is looked at each time.
  uint64_t fits = first + 1;
  uint64_t length = begin.length;
  uint64_t least = first + 1;
  uint64_t beyond = end;
  while (least < beyond) {
    const uint64_t middle = least + (beyond - least) / 2;
    Tag last = {};
    if (!file_.ReadTag(middle, &last) || last.position < begin.position) return false;
    const uint64_t bytes = last.position + last.length - begin.position;
    if (bytes <= most && bytes <= room) {
      fits = middle + 1;
      length = bytes;
      least = middle + 1;
    } else {
      beyond = middle;
    }
  }
  *run = {fits, begin.position % room, length};
  return true;
}

bool RingReader::Holds(uint64_t first) const {
#ifndef __SANITIZE_THREAD__
  // What was copied before this call, by the kernel, was read before the tail is; the sanitizer knows no fences, and in
  // its tests copies are made with acquire loads.
  std::atomic_thread_fence(std::memory_order_acquire);
#endif
  return file_.header().tail.load(std::memory_order_relaxed) <= first;
}

bool RingReader::ReadHeaders(uint32_t version, HeaderCopy* headers) const {
  if (version == 0) return false;
  const HeaderSlot& slot = file_.slot(version);
  // Acquire: bytes of this version are seen, or newer ones, which the last look tells.
  if (slot.version.load(std::memory_order_acquire) != version) return false;
  headers->tracks = slot.tracks.load(std::memory_order_acquire);
  uint64_t size = 0;
  for (int i = 0; i < kHeaderParts; i++) {
    headers->lengths[i] = slot.lengths[i].load(std::memory_order_acquire);
    size += headers->lengths[i];
  }
  if (size > kHeaderBytes) return false;
  headers->bytes.resize(size);
  CopyOut(headers->bytes.data(), file_.slotBytes(version), size);
  return slot.version.load(std::memory_order_relaxed) == version;
}

}  // namespace live
