// What has to be known of WebSocket frames on their way in (RFC 6455 section 5.2).
#ifndef MOOVEDGE_MESSAGE_FRAMES_H_
#define MOOVEDGE_MESSAGE_FRAMES_H_

#include <cstddef>
#include <cstdint>

/** Reads the frames of one client, in whatever pieces they come. */
class MessageFrames {
 public:
  /** False at a frame without a mask, which closes the connection (section 5.1). */
  bool Read(const char* data, size_t size) {
    for (size_t at = 0; at < size;) {
      if (payload_ > 0) {
        const uint64_t taken = payload_ < size - at ? payload_ : size - at;
        payload_ -= taken;
        at += static_cast<size_t>(taken);
        continue;
      }
      if (!ReadHead(static_cast<uint8_t>(data[at++]))) return false;
    }
    return true;
  }

 private:
  /** Takes one byte of a head; false when that says that there is no mask. */
  bool ReadHead(uint8_t byte) {
    seen_++;
    if (seen_ == 1) return true;
    if (seen_ == 2) {
      const uint8_t length = byte & 0x7f;
      lengths_ = length == 126 ? 2 : length == 127 ? 8 : 0;
      length_ = lengths_ == 0 ? length : 0;
      return (byte & kMasked) != 0;
    }
    if (seen_ <= 2 + lengths_) length_ = length_ << 8 | byte;
    if (seen_ < 2 + lengths_ + kMask) return true;
    payload_ = length_;
    seen_ = 0;
    return true;
  }

  static constexpr uint8_t kMasked = 0x80;
  /** Bytes of a mask, which comes last in a head. */
  static constexpr uint8_t kMask = 4;

  /** Bytes of the frame that are still to come behind its head. */
  uint64_t payload_ = 0;
  uint64_t length_ = 0;
  /** Bytes of the head that have come, and those of it that tell the length beside the second byte. */
  uint8_t seen_ = 0;
  uint8_t lengths_ = 0;
};

#endif  // MOOVEDGE_MESSAGE_FRAMES_H_
