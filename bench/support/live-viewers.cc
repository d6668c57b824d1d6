// Thousands of viewers of one live stream over HTTP: reads and drops what comes, and tells how long the stamps in it
// have been on their way. live-viewers PORT PATH COUNT STALLED SECONDS
//
// A stamp is `kMark` and the publisher's monotonic clock in nanoseconds. A stalled viewer reads its first bytes only.

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <string>
#include <vector>

namespace {

constexpr char kMark[] = "moovedge-stamp:";
constexpr size_t kMarkLength = sizeof kMark - 1;
constexpr size_t kStamp = kMarkLength + 8;
/** One viewer in so many looks at stamps. */
constexpr int kSampled = 20;

uint64_t Now() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1000000000u + static_cast<uint64_t>(now.tv_nsec);
}

struct Viewer {
  int fd = -1;
  bool isStalled = false;
  bool isSampled = false;
  bool hasBytes = false;
  /** The end of what came before, in which a stamp may begin. */
  std::string rest;
};

void Fail(const char* what) {
  std::perror(what);
  std::exit(1);
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 6) return 2;
  const int port = std::atoi(arguments[1]);
  const std::string request = std::string("GET ") + arguments[2] + " HTTP/1.1\r\nHost: bench\r\n\r\n";
  const int viewers = std::atoi(arguments[3]);
  const int stalled = std::atoi(arguments[4]);
  const double seconds = std::atof(arguments[5]);
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  const int epoll = epoll_create1(0);
  std::vector<Viewer> all(static_cast<size_t>(viewers + stalled));
  for (size_t i = 0; i < all.size(); i++) {
    Viewer& viewer = all[i];
    viewer.isStalled = static_cast<int>(i) >= viewers;
    viewer.isSampled = !viewer.isStalled && i % kSampled == 0;
    viewer.fd = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(static_cast<uint16_t>(port));
    // Many addresses of this machine, so that ports do not run out.
    to.sin_addr.s_addr = htonl(0x7f000001u + static_cast<uint32_t>(i % 8));
    if (viewer.fd < 0 || connect(viewer.fd, reinterpret_cast<sockaddr*>(&to), sizeof to) != 0) Fail("connect");
    if (write(viewer.fd, request.data(), request.size()) < 0) Fail("write");
    fcntl(viewer.fd, F_SETFL, O_NONBLOCK);
    epoll_event event{};
    event.events = EPOLLIN | EPOLLRDHUP;
    event.data.u64 = i;
    epoll_ctl(epoll, EPOLL_CTL_ADD, viewer.fd, &event);
  }
  std::printf("connected\n");
  std::fflush(stdout);
  // What joining costs is not part of it.
  const uint64_t begin = Now() + 3000000000u;
  const uint64_t end = begin + static_cast<uint64_t>(seconds * 1e9);
  uint64_t bytes = 0;
  int closed = 0;
  int closedStalled = 0;
  std::vector<double> latencies;
  std::vector<char> buffer(256 * 1024);
  epoll_event events[512];
  bool isMeasured = false;
  while (Now() < end) {
    if (!isMeasured && Now() >= begin) {
      isMeasured = true;
      std::printf("measuring\n");
      std::fflush(stdout);
    }
    const int ready = epoll_wait(epoll, events, 512, 100);
    for (int i = 0; i < ready; i++) {
      Viewer& viewer = all[events[i].data.u64];
      if (viewer.isStalled && viewer.hasBytes) {
        if ((events[i].events & (EPOLLERR | EPOLLHUP | EPOLLRDHUP)) != 0) {
          closedStalled++;
          close(viewer.fd);
          continue;
        }
        // Level-triggered: what lies there would be told for ever.
        epoll_event event{};
        event.events = EPOLLRDHUP | EPOLLET;
        event.data.u64 = events[i].data.u64;
        epoll_ctl(epoll, EPOLL_CTL_MOD, viewer.fd, &event);
        continue;
      }
      const ssize_t got = read(viewer.fd, buffer.data(), buffer.size());
      if (got < 0 && (errno == EAGAIN || errno == EINTR)) continue;
      if (got <= 0) {
        closed++;
        close(viewer.fd);
        continue;
      }
      viewer.hasBytes = true;
      if (!isMeasured) continue;
      bytes += static_cast<uint64_t>(got);
      if (!viewer.isSampled) continue;
      viewer.rest.append(buffer.data(), static_cast<size_t>(got));
      const uint64_t now = Now();
      size_t at = 0;
      while ((at = viewer.rest.find(kMark, at)) != std::string::npos && at + kStamp <= viewer.rest.size()) {
        uint64_t stamp;
        std::memcpy(&stamp, viewer.rest.data() + at + kMarkLength, sizeof stamp);
        // One that a chunk's frame stands in is none.
        if (stamp < now && now - stamp < 60000000000u) latencies.push_back(static_cast<double>(now - stamp) / 1e6);
        at += kStamp;
      }
      viewer.rest.erase(
          0, viewer.rest.size() -
                 std::min(viewer.rest.size(), at == std::string::npos ? kStamp - 1 : viewer.rest.size() - at));
    }
  }
  std::sort(latencies.begin(), latencies.end());
  const auto share = [&](double of) {
    return latencies.empty() ? 0 : latencies[static_cast<size_t>(static_cast<double>(latencies.size() - 1) * of)];
  };
  std::printf("{\"bytes\":%llu,\"closed\":%d,\"closedStalled\":%d,\"stamps\":%zu,\"p50\":%.1f,\"p99\":%.1f}\n",
              static_cast<unsigned long long>(bytes), closed, closedStalled, latencies.size(), share(0.5), share(0.99));
  return 0;
}
