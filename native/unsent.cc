#include "unsent.h"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cstddef>

namespace {

/** Limit of a connection that is raised, in bytes. */
constexpr uint32_t kHigh = 512 * 1024;
constexpr uint32_t kMaxRaised = 128;
/**
 * A socket that is full again within so many milliseconds is read fast; when that happens so many times in a row, its
 * limit is raised.
 */
constexpr uint64_t kQuick = 50;
constexpr uint8_t kQuickTimes = 8;
/** A socket that has not been full for so many milliseconds has its limit lowered again. */
constexpr uint64_t kSlow = 1000;
/** Least window of a reader whose limit is raised, in bytes. */
constexpr uint32_t kWideWindow = 256 * 1024;

uint32_t raised = 0;

void Set(int fd, uint32_t bytes) {
  const auto value = static_cast<int>(bytes);
  setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &value, sizeof value);
}

/** The window that the other side offers, in bytes; 0 when the kernel does not tell. */
uint32_t WindowOf(int fd) {
  tcp_info info{};
  socklen_t size = sizeof info;
  if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) != 0) return 0;
  return size >= offsetof(tcp_info, tcpi_snd_wnd) + sizeof info.tcpi_snd_wnd ? info.tcpi_snd_wnd : 0;
}

}  // namespace

void UnsentLimit::Full(int fd, uint64_t now, uint32_t low) {
  const uint64_t passed = now - full_at_;
  full_at_ = now;
  if (is_raised_) {
    if (passed < kSlow) return;
    Forget();
    Set(fd, low);
    return;
  }
  if (passed > kQuick) {
    quick_ = 0;
  } else if (++quick_ >= kQuickTimes) {
    quick_ = 0;
    if (low >= kHigh || raised >= kMaxRaised || WindowOf(fd) < kWideWindow) return;
    Set(fd, kHigh);
    is_raised_ = true;
    ++raised;
  }
}

void UnsentLimit::Forget() {
  raised -= is_raised_ ? 1 : 0;
  is_raised_ = false;
  quick_ = 0;
}
