// What clients share that make load by thousands of connections in one loop: clocks, connections, and what is told.
#ifndef MOOVEDGE_BENCH_LOAD_CLIENT_H_
#define MOOVEDGE_BENCH_LOAD_CLIENT_H_

#include <arpa/inet.h>
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
#include <ctime>
#include <string>
#include <vector>

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

/** Begins a connection to a port of this machine, at one of its addresses. */
inline int Open(int port, uint32_t address = INADDR_LOOPBACK) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(static_cast<uint16_t>(port));
  to.sin_addr.s_addr = htonl(address);
  if (fd < 0) Fail("socket");
  if (connect(fd, reinterpret_cast<sockaddr*>(&to), sizeof to) != 0 && errno != EINPROGRESS) Fail("connect");
  return fd;
}

/** Writes what is short enough for a socket to take at once. */
inline void Say(int fd, const std::string& bytes) {
  if (write(fd, bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size())) Fail("write");
}

/** Has a loop tell `events` of a socket, by its number. @param how EPOLL_CTL_ADD or EPOLL_CTL_MOD */
inline void Watch(int epoll, int how, int fd, uint32_t events, size_t number) {
  epoll_event event{};
  event.events = events;
  event.data.u64 = number;
  epoll_ctl(epoll, how, fd, &event);
}

/** Tells whoever started the client that what it counts begins now. */
inline void TellMeasuring() {
  std::printf("measuring\n");
  std::fflush(stdout);
}

#endif
