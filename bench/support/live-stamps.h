// Clocks of load clients, and stamps in a live stream: `kMark`, the publisher's monotonic clock in nanoseconds, and the
// number of the tag.
#ifndef MOOVEDGE_BENCH_LIVE_STAMPS_H_
#define MOOVEDGE_BENCH_LIVE_STAMPS_H_

#include <sys/resource.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <string>
#include <vector>

constexpr char kMark[] = "moovedge-stamp:";
constexpr size_t kMarkLength = sizeof kMark - 1;
constexpr size_t kStamp = kMarkLength + 16;

inline uint64_t Now() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1000000000u + static_cast<uint64_t>(now.tv_nsec);
}

inline double CpuSeconds() {
  rusage used{};
  getrusage(RUSAGE_SELF, &used);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds(used.ru_utime) + seconds(used.ru_stime);
}

inline void Fail(const char* what) {
  std::perror(what);
  std::exit(1);
}

/** As many descriptors as the system gives. */
inline void RaiseDescriptors() {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

/** The value that so large a part of all lies below; 0 of none. */
inline double Share(std::vector<double>& values, double of) {
  std::sort(values.begin(), values.end());
  return values.empty() ? 0 : values[static_cast<size_t>(static_cast<double>(values.size() - 1) * of)];
}

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
