// Players of one live stream by HLS with low latency: each waits for the playlist that lists the next part, gets that
// part, and so on, on one connection. hls-players PORT PATH COUNT SECONDS
//
// PATH is that of a track's playlist. Tells how long the newest tag of each part has been on its way.

#include "live-stamps.h"

namespace {

struct Player {
  int fd = -1;
  bool hasAsked = false;
  /** What is waited for: a playlist or a part. */
  bool isPart = false;
  /** The part that comes next, as SEGMENT.PART; empty before the first playlist. */
  std::string hint;
  std::string answer;
  /** Bytes of the answer with its head; 0 until that is there. */
  size_t whole = 0;
  Stamps stamps;
};

/** What stands in a text behind `before`, up to one of `ends`. */
std::string Behind(const std::string& text, const char* before, const char* ends) {
  const size_t at = text.find(before);
  if (at == std::string::npos) return "";
  const size_t from = at + std::strlen(before);
  return text.substr(from, text.find_first_of(ends, from) - from);
}

/** The first part in a piece of a playlist, as SEGMENT.PART. */
std::string PartIn(const std::string& text) {
  const std::string file = Behind(text, "URI=\"v1/", "\"");
  return file.substr(0, file.rfind('.'));
}

void Ask(const Player& player, const std::string& target) {
  Say(player.fd, "GET " + target + " HTTP/1.1\r\nHost: bench\r\n\r\n");
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 5) return 2;
  const int port = std::atoi(arguments[1]);
  const std::string path = arguments[2];
  const std::string folder = path.substr(0, path.rfind('/') + 1);
  const double seconds = std::atof(arguments[4]);
  RaiseDescriptors();
  const int epoll = epoll_create1(0);
  std::vector<Player> all(static_cast<size_t>(std::atoi(arguments[3])));
  std::vector<double> latencies;
  uint64_t bytes = 0;
  uint64_t requests = 0;
  int refused = 0;
  int closed = 0;
  double cpu = 0;
  std::vector<char> buffer(256 * 1024);
  epoll_event events[512];
  bool isMeasured = false;
  size_t opened = 0;
  size_t playing = 0;
  const uint64_t patience = Now() + 30000000000u;
  uint64_t begin = 0;
  uint64_t end = 0;
  while (end == 0 || Now() < end) {
    for (; opened < all.size() && opened - playing < 50; opened++) {
      Player& player = all[opened];
      player.fd = Open(port);
      Watch(epoll, EPOLL_CTL_ADD, player.fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP, opened);
    }
    if (begin == 0 && (playing == all.size() || Now() > patience)) {
      begin = Now() + 2000000000u;
      end = begin + static_cast<uint64_t>(seconds * 1e9);
    }
    if (!isMeasured && begin != 0 && Now() >= begin) {
      isMeasured = true;
      cpu = CpuSeconds();
      TellMeasuring();
    }
    const int ready = epoll_wait(epoll, events, 512, 20);
    for (int i = 0; i < ready; i++) {
      Player& player = all[events[i].data.u64];
      if (!player.hasAsked && (events[i].events & EPOLLOUT) != 0) {
        player.hasAsked = true;
        Ask(player, path);
        Watch(epoll, EPOLL_CTL_MOD, player.fd, EPOLLIN | EPOLLRDHUP, events[i].data.u64);
        continue;
      }
      const ssize_t got = read(player.fd, buffer.data(), buffer.size());
      if (got < 0 && (errno == EAGAIN || errno == EINTR)) continue;
      if (got <= 0) {
        closed++;
        close(player.fd);
        continue;
      }
      if (isMeasured) bytes += static_cast<uint64_t>(got);
      player.answer.append(buffer.data(), static_cast<size_t>(got));
      if (player.whole == 0) {
        const size_t head = player.answer.find("\r\n\r\n");
        if (head == std::string::npos) continue;
        const std::string length = Behind(player.answer.substr(0, head), "Content-Length: ", "\r");
        player.whole = head + 4 + static_cast<size_t>(std::atoll(length.c_str()));
      }
      if (player.answer.size() < player.whole) continue;
      if (isMeasured) requests++;
      const bool isFine = player.answer.compare(9, 3, "200") == 0;
      if (!isFine && isMeasured) refused++;
      if (player.isPart && isFine) {
        double age = 0;
        player.stamps.Read(player.answer.data(), player.answer.size(), [&](double each) { age = each; });
        if (isMeasured && age > 0) latencies.push_back(age);
      }
      std::string target;
      const size_t listed = player.hint.empty() ? std::string::npos : player.answer.find("v1/" + player.hint + ".m4s");
      if (!player.isPart && listed != std::string::npos) {
        player.isPart = true;
        target = folder + "v1/" + player.hint + ".m4s";
        player.hint = PartIn(player.answer.substr(player.answer.find("URI=\"v1/", listed)));
      } else {
        if (!player.isPart) {
          // The first playlist, or one that has gone past what was waited for.
          if (player.hint.empty()) playing++;
          else refused++;
          player.hint = PartIn(player.answer.substr(player.answer.find("#EXT-X-PRELOAD-HINT")));
        }
        player.isPart = false;
        const size_t dot = player.hint.find('.');
        target = path + "?_HLS_msn=" + player.hint.substr(0, dot) + "&_HLS_part=" + player.hint.substr(dot + 1);
      }
      player.answer.clear();
      player.whole = 0;
      Ask(player, target);
    }
  }
  cpu = (CpuSeconds() - cpu) / seconds;
  uint64_t tags = 0;
  uint64_t lost = 0;
  for (const Player& player : all) {
    tags += player.stamps.tags;
    lost += player.stamps.lost;
  }
  std::printf("{\"bytes\":%llu,\"requests\":%llu,\"refused\":%d,\"closed\":%d,\"tags\":%llu,\"lost\":%llu,",
              static_cast<unsigned long long>(bytes), static_cast<unsigned long long>(requests), refused, closed,
              static_cast<unsigned long long>(tags), static_cast<unsigned long long>(lost));
  std::printf("\"p50\":%.1f,\"p99\":%.1f,\"cpu\":%.3f}\n", Share(latencies, 0.5), Share(latencies, 0.99), cpu);
  return 0;
}
