// The least that a miss costs a cache that copies: what comes from an origin is received into a buffer, copied into a
// block of a cache's memory, summed up, and sent from there. One thread, epoll, one connection to the origin for each
// of a client; nothing is parsed but where an answer ends, and nothing is ever found.
//
//   miss-floor PORT ORIGIN-PORT BYTES    BYTES of memory, used round and round

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <initializer_list>

#include "../../native/shm_crc.h"

namespace {

constexpr size_t kBlock = 256 * 1024;

int loop;
int origin_port;
char* memory;
size_t blocks;
size_t used = 0;
/** What is read of an origin's socket. */
char buffer[kBlock + 1];

struct Connection;

/** One end of a connection, as epoll knows it. */
struct End {
  Connection* connection = nullptr;
  int fd = -1;
};

struct Connection {
  End client;
  End origin;
  char* block = nullptr;
  /** Bytes in the block, and those of them that have been sent. */
  size_t filled = 0;
  size_t sent = 0;
  uint32_t crc = 0;
  /** Bytes of the answer that are still to come. */
  size_t left = 0;
};

void Fail(const char* what) {
  std::perror(what);
  std::exit(1);
}

void Watch(End* end, uint32_t events, int how) {
  if (end->fd < 0) return;
  epoll_event event{};
  event.events = events;
  event.data.ptr = end;
  if (epoll_ctl(loop, how, end->fd, &event) != 0) Fail("epoll_ctl");
}

void Close(Connection* c) {
  // The process ends with the benchmark; what it keeps of a connection that is over does not matter.
  for (End* end : {&c->client, &c->origin}) {
    if (end->fd >= 0) close(end->fd);
    end->fd = -1;
  }
}

bool Waits() { return errno == EAGAIN || errno == EINTR; }

/** Sends what the client takes. Returns false when it takes no more for now, or is gone. */
bool Send(Connection* c) {
  while (c->sent < c->filled) {
    const ssize_t count = send(c->client.fd, c->block + c->sent, c->filled - c->sent, MSG_NOSIGNAL);
    if (count < 0 && Waits()) return false;
    if (count <= 0) {
      Close(c);
      return false;
    }
    c->sent += static_cast<size_t>(count);
  }
  return true;
}

void Store(Connection* c, const char* bytes, size_t length) {
  while (length > 0) {
    if (c->block == nullptr || c->filled == kBlock) {
      c->block = memory + used++ % blocks * kBlock;
      c->filled = c->sent = c->crc = 0;
    }
    const size_t count = length < kBlock - c->filled ? length : kBlock - c->filled;
    std::memcpy(c->block + c->filled, bytes, count);
    c->crc = shm::Crc32c(c->crc, bytes, count);
    c->filled += count;
    bytes += count;
    length -= count;
  }
}

void OnOrigin(Connection* c) {
  // What is left of the block, so that nothing is overwritten that has not been sent.
  const size_t room = c->left > 0 && c->filled < kBlock ? kBlock - c->filled : kBlock;
  const ssize_t count = recv(c->origin.fd, buffer, room, 0);
  if (count < 0 && Waits()) return;
  if (count <= 0) return Close(c);
  size_t length = static_cast<size_t>(count);
  const char* bytes = buffer;
  if (c->left == 0) {
    buffer[length] = 0;
    const char* end = std::strstr(buffer, "\r\n\r\n");
    const char* field = std::strstr(buffer, "Content-Length: ");
    if (end == nullptr || field == nullptr) return Close(c);
    const size_t head = static_cast<size_t>(end + 4 - buffer);
    c->left = std::strtoull(field + 16, nullptr, 10) + head;
    send(c->client.fd, buffer, head, MSG_NOSIGNAL | MSG_MORE);
    c->left -= head;
    bytes += head;
    length -= head;
    c->block = nullptr;
    if (length == 0) return;
  }
  c->left -= length;
  Store(c, bytes, length);
  if (Send(c)) return;
  Watch(&c->origin, 0, EPOLL_CTL_MOD);
  Watch(&c->client, EPOLLOUT, EPOLL_CTL_MOD);
}

void OnClient(Connection* c, uint32_t events) {
  if ((events & EPOLLOUT) != 0) {
    if (!Send(c)) return;
    Watch(&c->client, EPOLLIN, EPOLL_CTL_MOD);
    Watch(&c->origin, EPOLLIN, EPOLL_CTL_MOD);
    return;
  }
  char request[4096];
  const ssize_t length = recv(c->client.fd, request, sizeof request, 0);
  if (length < 0 && Waits()) return;
  if (length <= 0 || send(c->origin.fd, request, static_cast<size_t>(length), MSG_NOSIGNAL) != length) Close(c);
}

sockaddr_in Loopback(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<uint16_t>(port));
  return address;
}

void Accept(int listener) {
  auto* c = new Connection;
  const int on = 1;
  c->client = {c, accept4(listener, nullptr, nullptr, SOCK_NONBLOCK)};
  c->origin = {c, socket(AF_INET, SOCK_STREAM, 0)};
  const sockaddr_in address = Loopback(origin_port);
  if (c->client.fd < 0) Fail("accept");
  if (connect(c->origin.fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) Fail("connect");
  fcntl(c->origin.fd, F_SETFL, O_NONBLOCK);
  for (const int fd : {c->client.fd, c->origin.fd}) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  Watch(&c->client, EPOLLIN, EPOLL_CTL_ADD);
  Watch(&c->origin, EPOLLIN, EPOLL_CTL_ADD);
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 4) return 2;
  origin_port = std::atoi(arguments[2]);
  blocks = std::strtoull(arguments[3], nullptr, 10) / kBlock;
  void* mapped = mmap(nullptr, blocks * kBlock, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
  if (mapped == MAP_FAILED) Fail("mmap");
  memory = static_cast<char*>(mapped);
  loop = epoll_create1(0);
  End listener = {nullptr, socket(AF_INET, SOCK_STREAM, 0)};
  const int on = 1;
  setsockopt(listener.fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  const sockaddr_in address = Loopback(std::atoi(arguments[1]));
  if (bind(listener.fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 || listen(listener.fd, 64) != 0)
    Fail("listen");
  Watch(&listener, EPOLLIN, EPOLL_CTL_ADD);
  for (;;) {
    epoll_event events[64];
    const int found = epoll_wait(loop, events, 64, -1);
    for (int i = 0; i < found; ++i) {
      auto* end = static_cast<End*>(events[i].data.ptr);
      if (end == &listener) {
        Accept(listener.fd);
      } else if (end->fd < 0) {
        // It was closed by an event before this one.
      } else if (end == &end->connection->client) {
        OnClient(end->connection, events[i].events);
      } else {
        OnOrigin(end->connection);
      }
    }
  }
}
