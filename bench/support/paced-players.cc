// Players of paced answers: each reads what comes as fast as it comes, and is counted for itself.
// usage: paced-players PORT PATH PLAYERS SETTLE SECONDS
// Prints "measuring" once all have their answer and SETTLE seconds have passed; at the end, in JSON, the bytes that
// each has read within SECONDS.
#include <arpa/inet.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

namespace {

double Now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

int Connect(int port, const std::string& request) {
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (fd < 0 || connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) return -1;
  if (write(fd, request.data(), request.size()) != static_cast<ssize_t>(request.size())) return -1;
  return fd;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 6) return 2;
  const int players = atoi(argv[3]);
  const double settle = atof(argv[4]);
  const double seconds = atof(argv[5]);
  rlimit files{static_cast<rlim_t>(players) + 100, static_cast<rlim_t>(players) + 100};
  setrlimit(RLIMIT_NOFILE, &files);
  const std::string request = std::string("GET ") + argv[2] + " HTTP/1.1\r\nHost: bench\r\n\r\n";
  const int poll = epoll_create1(0);
  std::vector<int> fds;
  std::vector<uint64_t> bytes(static_cast<size_t>(players));
  static char sink[256 * 1024];
  int lost = 0;
  auto turn = [&](int wait) {
    epoll_event events[256];
    const int count = epoll_wait(poll, events, 256, wait);
    for (int i = 0; i < count; i++) {
      const size_t player = events[i].data.u32;
      const ssize_t got = recv(fds[player], sink, sizeof sink, MSG_DONTWAIT | MSG_TRUNC);
      if (got > 0) {
        bytes[player] += static_cast<uint64_t>(got);
      } else if (got == 0) {
        lost++;
        epoll_ctl(poll, EPOLL_CTL_DEL, fds[player], nullptr);
      }
    }
  };
  for (int i = 0; i < players; i++) {
    const int fd = Connect(atoi(argv[1]), request);
    if (fd < 0) return 1;
    fds.push_back(fd);
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u32 = static_cast<uint32_t>(i);
    epoll_ctl(poll, EPOLL_CTL_ADD, fd, &event);
    if (i % 16 == 0) turn(0);
  }
  for (double end = Now() + settle; Now() < end;) turn(50);
  const std::vector<uint64_t> before = bytes;
  const double begun = Now();
  printf("measuring\n");
  fflush(stdout);
  while (Now() < begun + seconds) turn(50);
  const double took = Now() - begun;
  printf("{\"seconds\": %.3f, \"lost\": %d, \"bytes\": [", took, lost);
  for (int i = 0; i < players; i++) {
    const size_t player = static_cast<size_t>(i);
    printf("%s%llu", i == 0 ? "" : ",", static_cast<unsigned long long>(bytes[player] - before[player]));
  }
  printf("]}\n");
}
