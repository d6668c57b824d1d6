// The least that a hop over TCP costs: a server that has its bytes in memory, and a relay in front of it which parses
// nothing but where an answer ends. One thread each, epoll, no TLS, no signature, no cache, no log.
//
//   hop-floor serve SIZE       answers `Range: bytes=A-B`, or with all SIZE bytes
//   hop-floor relay PORT       passes requests on to that port, and answers back: what the first read does not hold
//                              goes by splice(2)
//
// Prints its port, and for each line of its standard input the seconds of processor time that it has taken.

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

namespace {

constexpr size_t kRead = 16 * 1024;
constexpr size_t kMoved = 512 * 1024;

int loop;
/** What is served; empty for a relay. */
std::vector<char> film;
int upstream_port = 0;

struct Connection;

/** One end of a connection, as epoll knows it. */
struct End {
  Connection* connection = nullptr;
  bool is_client = false;
};

/** One connection of a client, and that to the server behind a relay. */
struct Connection {
  End client_end;
  End upstream_end;
  int client = -1;
  int upstream = -1;
  int pipe[2] = {-1, -1};
  size_t held = 0;
  /** Served: what is left of the answer's head, and of its body. */
  std::string head;
  size_t at = 0;
  size_t end = 0;
  /** Relayed: bytes of the answer that are still to come. */
  size_t left = 0;
  bool is_writing = false;
};

void Fail(const char* what) {
  std::perror(what);
  std::exit(1);
}

void Watch(int fd, void* end, uint32_t events, int how) {
  epoll_event event{};
  event.events = events;
  event.data.ptr = end;
  if (epoll_ctl(loop, how, fd, &event) != 0) Fail("epoll_ctl");
}

bool Waits() { return errno == EAGAIN || errno == EINTR; }

void Close(End* end) {
  // The process ends with the benchmark; what it keeps of a connection that is over does not matter.
  close(end->connection->client);
  if (end->connection->upstream >= 0) close(end->connection->upstream);
}

size_t NumberAfter(const char* text, const char* mark, size_t missing) {
  const char* found = std::strstr(text, mark);
  return found == nullptr ? missing : std::strtoull(found + std::strlen(mark), nullptr, 10);
}

/** Sends what the socket takes of an answer. */
void Serve(End* end) {
  Connection& c = *end->connection;
  while (!c.head.empty() || c.at < c.end) {
    iovec parts[2] = {{c.head.data(), c.head.size()}, {film.data() + c.at, c.end - c.at}};
    msghdr message{};
    message.msg_iov = parts;
    message.msg_iovlen = 2;
    const ssize_t sent = sendmsg(c.client, &message, MSG_NOSIGNAL);
    if (sent < 0 && Waits()) {
      if (!c.is_writing) Watch(c.client, end, EPOLLOUT, EPOLL_CTL_MOD);
      c.is_writing = true;
      return;
    }
    if (sent <= 0) return Close(end);
    const size_t of_head = std::min(c.head.size(), static_cast<size_t>(sent));
    c.head.erase(0, of_head);
    c.at += static_cast<size_t>(sent) - of_head;
  }
  if (c.is_writing) Watch(c.client, end, EPOLLIN, EPOLL_CTL_MOD);
  c.is_writing = false;
}

void Answer(End* end, const char* request) {
  Connection& c = *end->connection;
  const size_t from = NumberAfter(request, "bytes=", 0);
  const char* dash = std::strstr(request, "bytes=");
  c.at = from;
  c.end = dash == nullptr ? film.size() : std::strtoull(std::strchr(dash, '-') + 1, nullptr, 10) + 1;
  c.end = std::min(c.end, film.size());
  c.head = "HTTP/1.1 206 Partial Content\r\nContent-Length: " + std::to_string(c.end - c.at) + "\r\n\r\n";
  Serve(end);
}

/** Moves what can be moved of an answer's rest. */
void Carry(End* end) {
  Connection& c = *end->connection;
  for (;;) {
    if (c.held == 0) {
      if (c.left == 0) break;
      const ssize_t taken = splice(c.upstream, nullptr, c.pipe[1], nullptr, std::min(c.left, kMoved), SPLICE_F_NONBLOCK);
      if (taken < 0 && Waits()) break;
      if (taken <= 0) return Close(end);
      c.held = static_cast<size_t>(taken);
      c.left -= c.held;
    }
    const ssize_t given = splice(c.pipe[0], nullptr, c.client, nullptr, c.held, SPLICE_F_NONBLOCK);
    if (given < 0 && Waits()) {
      if (!c.is_writing) Watch(c.client, &c.client_end, EPOLLOUT, EPOLL_CTL_MOD);
      c.is_writing = true;
      return;
    }
    if (given <= 0) return Close(end);
    c.held -= static_cast<size_t>(given);
  }
  if (c.is_writing) Watch(c.client, &c.client_end, EPOLLIN, EPOLL_CTL_MOD);
  c.is_writing = false;
}

void SendAll(int fd, const char* bytes, size_t length) {
  // What this is used for fits into a socket that owes nothing.
  if (send(fd, bytes, length, MSG_NOSIGNAL) != static_cast<ssize_t>(length)) Fail("send");
}

void OnClient(End* end, uint32_t events) {
  Connection& c = *end->connection;
  if ((events & EPOLLOUT) != 0) return film.empty() ? Carry(end) : Serve(end);
  char request[4096];
  const ssize_t length = recv(c.client, request, sizeof request - 1, 0);
  if (length < 0 && Waits()) return;
  if (length <= 0) return Close(end);
  request[length] = 0;
  if (!film.empty()) return Answer(end, request);
  SendAll(c.upstream, request, static_cast<size_t>(length));
}

void OnUpstream(End* end) {
  Connection& c = *end->connection;
  if (c.left > 0 || c.held > 0) return c.is_writing ? void() : Carry(end);
  static char bytes[kRead + 1];
  const ssize_t length = recv(c.upstream, bytes, kRead, 0);
  if (length < 0 && Waits()) return;
  if (length <= 0) return Close(end);
  bytes[length] = 0;
  const size_t head = static_cast<size_t>(std::strstr(bytes, "\r\n\r\n") + 4 - bytes);
  c.left = NumberAfter(bytes, "Content-Length: ", 0) - (static_cast<size_t>(length) - head);
  SendAll(c.client, bytes, static_cast<size_t>(length));
  if (c.left > 0) Carry(end);
}

int Listen(int* port) {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  if (bind(fd, reinterpret_cast<sockaddr*>(&address), size) != 0 || listen(fd, 64) != 0) Fail("listen");
  getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
  *port = ntohs(address.sin_port);
  return fd;
}

void Accept(int listener) {
  auto* c = new Connection;
  c->client_end = {c, true};
  c->upstream_end = {c, false};
  const int on = 1;
  // The same bound as an edge has on what the kernel keeps of an answer.
  const int unsent = 128 * 1024;
  c->client = accept4(listener, nullptr, nullptr, SOCK_NONBLOCK);
  if (c->client < 0) Fail("accept");
  setsockopt(c->client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  setsockopt(c->client, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent, sizeof unsent);
  Watch(c->client, &c->client_end, EPOLLIN, EPOLL_CTL_ADD);
  if (!film.empty()) return;
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<uint16_t>(upstream_port));
  c->upstream = socket(AF_INET, SOCK_STREAM, 0);
  if (connect(c->upstream, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) Fail("connect");
  setsockopt(c->upstream, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  fcntl(c->upstream, F_SETFL, O_NONBLOCK);
  if (pipe2(c->pipe, O_NONBLOCK) != 0) Fail("pipe");
  fcntl(c->pipe[1], F_SETPIPE_SZ, static_cast<int>(kMoved));
  Watch(c->upstream, &c->upstream_end, EPOLLIN, EPOLL_CTL_ADD);
}

/** @returns false when nobody asks any more */
bool Tell() {
  char asked[64];
  if (read(STDIN_FILENO, asked, sizeof asked) <= 0) return false;
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const double user = static_cast<double>(usage.ru_utime.tv_sec) + static_cast<double>(usage.ru_utime.tv_usec) / 1e6;
  const double system = static_cast<double>(usage.ru_stime.tv_sec) + static_cast<double>(usage.ru_stime.tv_usec) / 1e6;
  std::printf("%.6f\n", user + system);
  std::fflush(stdout);
  return true;
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 3) return 2;
  if (std::strcmp(arguments[1], "serve") == 0) {
    film.assign(std::strtoull(arguments[2], nullptr, 10), 'x');
  } else {
    upstream_port = std::atoi(arguments[2]);
  }
  loop = epoll_create1(0);
  int port;
  const int listener = Listen(&port);
  End on_listener;
  End on_input;
  Watch(listener, &on_listener, EPOLLIN, EPOLL_CTL_ADD);
  Watch(STDIN_FILENO, &on_input, EPOLLIN, EPOLL_CTL_ADD);
  std::printf("%d\n", port);
  std::fflush(stdout);
  for (;;) {
    epoll_event events[64];
    const int found = epoll_wait(loop, events, 64, -1);
    for (int i = 0; i < found; ++i) {
      auto* end = static_cast<End*>(events[i].data.ptr);
      if (end == &on_listener) {
        Accept(listener);
      } else if (end == &on_input) {
        if (!Tell()) return 0;
      } else if (end->is_client) {
        OnClient(end, events[i].events);
      } else {
        OnUpstream(end);
      }
    }
  }
}
