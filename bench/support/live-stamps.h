// Stamps in a live stream: `kMark`, the publisher's monotonic clock in nanoseconds, and the number of the tag.
#ifndef MOOVEDGE_BENCH_LIVE_STAMPS_H_
#define MOOVEDGE_BENCH_LIVE_STAMPS_H_

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string>

#include "load-client.h"

constexpr char kMark[] = "moovedge-stamp:";
constexpr size_t kMarkLength = sizeof kMark - 1;
constexpr size_t kStamp = kMarkLength + 16;

/** Stamps of the stream of one viewer, in whatever pieces it comes. */
class Stamps {
 public:
  /** Numbers that came in their order or not, and those that were left out. */
  uint64_t tags = 0;
  uint64_t lost = 0;

  /** Calls `take(milliseconds)` with the age of each stamp. */
  template <typename Take>
  void Read(const char* bytes, size_t length, Take take) {
    rest_.append(bytes, length);
    const uint64_t now = Now();
    size_t at = 0;
    while ((at = rest_.find(kMark, at)) != std::string::npos && at + kStamp <= rest_.size()) {
      uint64_t stamp;
      uint64_t number;
      std::memcpy(&stamp, rest_.data() + at + kMarkLength, sizeof stamp);
      std::memcpy(&number, rest_.data() + at + kMarkLength + sizeof stamp, sizeof number);
      if (next_ != 0) {
        tags++;
        if (number > next_) lost += number - next_;
      }
      next_ = number + 1;
      take(static_cast<double>(now - stamp) / 1e6);
      at += kStamp;
    }
    const size_t kept = at == std::string::npos ? kStamp - 1 : rest_.size() - at;
    rest_.erase(0, rest_.size() - std::min(rest_.size(), kept));
  }

 private:
  /** Number of the tag that has to come next; 0 before the first. */
  uint64_t next_ = 0;
  /** The end of what came before, in which a stamp may begin. */
  std::string rest_;
};

#endif  // MOOVEDGE_BENCH_LIVE_STAMPS_H_
