// Thousands of viewers of one live stream: reads and drops what comes, tells how long the stamps in it have been on
// their way, and how many tags were not there. live-viewers http|rtmp PORT PATH COUNT STALLED SECONDS
//
// PATH is that of a URL for HTTP, and APP/NAME for RTMP. A stalled viewer reads its first bytes only.

#include "live-stamps.h"

namespace {

/** One viewer in so many looks at stamps. */
constexpr size_t kSampled = 10;
/** Most viewers at once that have not been answered: who joins gets two seconds of the stream. */
constexpr size_t kJoining = 50;
/** Of RTMP: S0, S1 and S2. */
constexpr size_t kHandshake = 3073;

struct Viewer {
  int fd = -1;
  bool isStalled = false;
  bool isSampled = false;
  bool hasAsked = false;
  bool isAnswered = false;
  /** Bytes that have come, until the stream itself has. */
  size_t greeted = 0;
  bool hasStream = false;
  /** What has come before the first picture. */
  std::string first;
  Stamps stamps;
};

// AMF0 (sections 2.2, 2.4 and 2.5 of its specification).

std::string Text(const std::string& text) {
  return std::string{static_cast<char>(text.size() >> 8), static_cast<char>(text.size())} + text;
}

std::string String(const std::string& text) { return '\x02' + Text(text); }

std::string Number(double value) {
  uint64_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  std::string bytes(1, '\0');
  for (int shift = 56; shift >= 0; shift -= 8) bytes += static_cast<char>(bits >> shift);
  return bytes;
}

const std::string kNull(1, '\x05');

/** A command in chunks of 128 bytes on chunk stream 3 (RTMP 1.0, section 5.3.1). */
std::string Command(uint32_t stream, const std::string& payload) {
  std::string bytes(1, '\x03');
  bytes += std::string(3, '\0');
  for (int shift = 16; shift >= 0; shift -= 8) bytes += static_cast<char>(payload.size() >> shift);
  bytes += '\x14';
  for (int shift = 0; shift < 32; shift += 8) bytes += static_cast<char>(stream >> shift);
  for (size_t at = 0; at < payload.size(); at += 128) {
    if (at > 0) bytes += '\xc3';
    bytes += payload.substr(at, 128);
  }
  return bytes;
}

/** C2, and all that a player says: nothing of it has to wait for an answer. */
std::string Play(const std::string& path) {
  const size_t slash = path.rfind('/');
  const std::string app = path.substr(0, slash);
  const std::string end("\0\0\x09", 3);
  const std::string object = '\x03' + Text("app") + String(app) + Text("tcUrl") + String("rtmp://bench/" + app) + end;
  return std::string(1536, '\0') + Command(0, String("connect") + Number(1) + object) +
         Command(0, String("createStream") + Number(2) + kNull) +
         Command(1, String("play") + Number(3) + kNull + String(path.substr(slash + 1)) + Number(-1000));
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 7) return 2;
  const bool isRtmp = std::strcmp(arguments[1], "rtmp") == 0;
  const int port = std::atoi(arguments[2]);
  const std::string path = arguments[3];
  const std::string request =
      isRtmp ? '\x03' + std::string(1536, '\0') : "GET " + path + " HTTP/1.1\r\nHost: bench\r\n\r\n";
  const size_t viewers = static_cast<size_t>(std::atoi(arguments[4]));
  const size_t stalled = static_cast<size_t>(std::atoi(arguments[5]));
  const double seconds = std::atof(arguments[6]);
  RaiseDescriptors();
  const int epoll = epoll_create1(0);
  std::vector<Viewer> all(viewers + stalled);
  size_t opened = 0;
  size_t answered = 0;
  size_t joined = 0;
  // Who does not come within this does not count among those that are measured.
  const uint64_t patience = Now() + 45000000000u;
  uint64_t begin = 0;
  uint64_t end = 0;
  uint64_t bytes = 0;
  int closed = 0;
  int closedStalled = 0;
  double cpu = 0;
  std::vector<double> latencies;
  std::vector<double> joins;
  std::vector<uint64_t> asked(all.size());
  std::vector<char> buffer(256 * 1024);
  epoll_event events[512];
  bool isMeasured = false;
  while (end == 0 || Now() < end) {
    for (; opened < all.size() && opened - answered < kJoining; opened++) {
      Viewer& viewer = all[opened];
      // Those who stall come first, and stand between the others.
      viewer.isStalled = opened < stalled;
      viewer.isSampled = !viewer.isStalled && opened % kSampled == 0;
      // Many addresses of this machine, so that ports do not run out.
      viewer.fd = Open(port, INADDR_LOOPBACK + static_cast<uint32_t>(opened % 8));
      asked[opened] = Now();
      Watch(epoll, EPOLL_CTL_ADD, viewer.fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP, opened);
    }
    if (begin == 0 && (joined == all.size() || Now() > patience)) {
      // What joining costs is not part of it.
      begin = Now() + 3000000000u;
      end = begin + static_cast<uint64_t>(seconds * 1e9);
      std::printf("joined %zu\n", joined);
    }
    if (!isMeasured && begin != 0 && Now() >= begin) {
      isMeasured = true;
      cpu = CpuSeconds();
      TellMeasuring();
    }
    const int ready = epoll_wait(epoll, events, 512, 20);
    for (int i = 0; i < ready; i++) {
      const size_t number = events[i].data.u64;
      Viewer& viewer = all[number];
      if (!viewer.hasAsked && (events[i].events & EPOLLOUT) != 0) {
        viewer.hasAsked = true;
        Say(viewer.fd, request);
        Watch(epoll, EPOLL_CTL_MOD, viewer.fd, EPOLLIN | EPOLLRDHUP, number);
        continue;
      }
      if (viewer.isStalled && viewer.hasStream) {
        if ((events[i].events & (EPOLLERR | EPOLLHUP | EPOLLRDHUP)) != 0) {
          closedStalled++;
          close(viewer.fd);
          continue;
        }
        // Level-triggered: what lies there would be told for ever.
        Watch(epoll, EPOLL_CTL_MOD, viewer.fd, EPOLLRDHUP | EPOLLET, number);
        continue;
      }
      const ssize_t got = read(viewer.fd, buffer.data(), viewer.isStalled ? 4096 : buffer.size());
      if (got < 0 && (errno == EAGAIN || errno == EINTR)) continue;
      if (got <= 0) {
        closed++;
        if (!viewer.hasStream) joined++;
        if (!viewer.isAnswered) answered++;
        close(viewer.fd);
        continue;
      }
      const auto length = static_cast<size_t>(got);
      if (!viewer.hasStream) {
        const size_t before = viewer.greeted;
        viewer.greeted += length;
        if (isRtmp && before < kHandshake && viewer.greeted >= kHandshake) Say(viewer.fd, Play(path));
        if (!viewer.isAnswered && viewer.greeted > (isRtmp ? kHandshake : 0)) {
          viewer.isAnswered = true;
          answered++;
        }
        // The first bytes with a picture, which always has a stamp.
        viewer.first.append(buffer.data(), length);
        if (viewer.first.find(kMark) == std::string::npos) continue;
        viewer.hasStream = true;
        viewer.first = std::string();
        joined++;
        if (!viewer.isStalled) joins.push_back(static_cast<double>(Now() - asked[number]) / 1e6);
      }
      if (isMeasured) bytes += length;
      if (!viewer.isSampled) continue;
      if (isMeasured) {
        viewer.stamps.Read(buffer.data(), length, [&](double age) { latencies.push_back(age); });
      }
    }
  }
  cpu = (CpuSeconds() - cpu) / seconds;
  uint64_t tags = 0;
  uint64_t lost = 0;
  for (const Viewer& viewer : all) {
    tags += viewer.stamps.tags;
    lost += viewer.stamps.lost;
  }
  std::printf("{\"bytes\":%llu,\"joined\":%zu,\"closed\":%d,\"closedStalled\":%d,\"tags\":%llu,\"lost\":%llu,",
              static_cast<unsigned long long>(bytes), joined, closed, closedStalled,
              static_cast<unsigned long long>(tags), static_cast<unsigned long long>(lost));
  std::printf("\"p50\":%.1f,\"p99\":%.1f,\"join50\":%.1f,\"join99\":%.1f,\"cpu\":%.3f}\n", Share(latencies, 0.5),
              Share(latencies, 0.99), Share(joins, 0.5), Share(joins, 0.99), cpu);
  return 0;
}
