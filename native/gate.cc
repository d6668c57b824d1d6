// The gate between the system's sockets and the front end, which gives its users neither the bytes of a request nor a
// say in accepting.
//
// The front end's module calls the functions below in place of `accept4`, `recv`, `close` and two of libuv's. What
// comes on a connection passes here first: one head at a time, strict and in normal form, and the next one only when
// the answer to the one before has ended. So neither a body, nor what hides in one, nor a flood of pipelined requests
// ever reaches the front end's parser; a half-closed connection is not read any more and so not taken for a lost one;
// and whoever is refused costs one `send`. A usual head is handed on where it lies, after one look.
//
// Everything happens on the thread of the front end's event loop.

#include "gate.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "clients.h"
#include "imports.h"
#include "listening.h"
#include "request_head.h"

namespace {

/** Most descriptors of a process that are looked after; what has a higher number is closed at once. */
constexpr size_t kMaxDescriptors = size_t{1} << 20;
/** Most bytes that are held back of one connection while it is answered; what comes then waits in the kernel. */
constexpr size_t kMaxHeld = 64 * 1024;
/**
 * Connections whose client may still be sending what nobody reads; closed at once they could lose the answer (RFC 9112
 * section 9.6).
 */
constexpr size_t kMaxLingering = 256;
constexpr uint64_t kLinger = 2000;
constexpr uint64_t kTick = 100;

/** States of a connection that JavaScript sees, and takes `kAnswering` from. */
constexpr uint8_t kAnswering = 1;
/** Bytes, or the end, wait for the answer's end: `readAgain` is to be called then. */
constexpr uint8_t kHeld = 2;
/** The connection is to be closed when the answer has ended; set by JavaScript, which calls `readAgain` then. */
constexpr uint8_t kLast = 4;

/** Words that JavaScript sees; the order is that in src/http/gate.ts. */
enum Word : size_t {
  /** Descriptor of the connection whose head was handed on last; 0 is none. */
  kCurrent,
  /** 1: the connection is to be closed after the answer. 2: the client knows no chunks. */
  kCurrentFlags,
  kBadRequest,
  kTargetTooLong,
  kTooManyRequests,
  kHeadTooLarge,
  kWrongVersion,
  kUnavailable,
  kPauses,
  kWords,
};

struct Port;

struct Connection {
  Port* port = nullptr;
  ClientKey client = 0;
  uv_poll_t* poll = nullptr;
  /** What the front end polls for. */
  int events = 0;
  /** The other side has sent its last byte. */
  bool has_ended = false;
  /** Nothing more is read for now. */
  bool is_deaf = false;
  /** What still comes is thrown away. */
  bool is_dropping = false;
  /** Content was announced and is perhaps not read whole. */
  bool lingers = false;
  /** A partial head, or what follows the head that is being answered. */
  std::string held;
  /** Where it begins. */
  size_t held_at = 0;

  void ClearHeld() {
    if (held.capacity() > 0) std::string().swap(held);
    held_at = 0;
  }
};

/** A guarded listening socket. */
struct Port {
  int listener = -1;
  uint16_t number = 0;
  /** False where the bytes are TLS's. */
  bool is_plain = true;
  uint32_t capacity = 0;
  /** Most connections of a client; 0 is a fair share when places are scarce. */
  uint32_t per_client = 0;
  /** Most requests under way of a client; 0 is no bound. */
  uint32_t requests = 0;
  uint32_t open = 0;
  bool is_paused = false;
  /** Beats until a listener tries again that paused for want of descriptors. */
  uint32_t pause_left = 0;
  Clients clients;
};

struct Lingering {
  int fd;
  uint64_t until;
};

/** All that the gate knows, for the one event loop that the front end has in a process. */
struct Gate {
  size_t size = 0;
  uv_loop_t* loop = nullptr;
  uint8_t* states = nullptr;
  uint8_t* faults = nullptr;
  uint32_t* words = nullptr;
  Connection** connections = nullptr;
  /** Poll handles of the front end's sockets, listening ones among them. */
  uv_poll_t** polls = nullptr;
  std::vector<std::unique_ptr<Port>> ports;
  std::vector<Lingering> lingering;
  uv_timer_t timer{};
  bool is_ticking = false;
};

Gate* gate = nullptr;

Connection* Find(int fd) { return fd >= 0 && static_cast<size_t>(fd) < gate->size ? gate->connections[fd] : nullptr; }

Port* FindPort(int listener) {
  for (const auto& port : gate->ports) {
    if (port->listener == listener) return port.get();
  }
  return nullptr;
}

int WouldBlock() {
  errno = EAGAIN;
  return -1;
}

void Tick(uv_timer_t*);

void StartTicking() {
  if (gate->is_ticking) return;
  gate->is_ticking = true;
  uv_timer_start(&gate->timer, Tick, kTick, kTick);
}

// Accepting.

void PauseAccepting(Port* port, uint32_t beats) {
  if (port->is_paused) return;
  uv_poll_t* poll = gate->polls[port->listener];
  if (poll == nullptr) return;
  uv_poll_stop(poll);
  port->is_paused = true;
  port->pause_left = beats;
  ++gate->words[kPauses];
  if (beats > 0) StartTicking();
}

void ResumeAccepting(Port* port) {
  if (!port->is_paused) return;
  port->is_paused = false;
  port->pause_left = 0;
  if (port->listener < 0) return;
  uv_poll_t* poll = gate->polls[port->listener];
  if (poll != nullptr) uv_poll_start(poll, UV_READABLE, poll->poll_cb);
}

/** Whether `client` may have one more connection. */
bool HasPlaceFor(const Port& port, ClientKey client) {
  if (client == 0) return true;
  const size_t held = port.clients.Connections(client).size();
  if (port.per_client > 0) return held < port.per_client;
  // The last quarter of the places is for those who have less than an even share.
  if (port.open < port.capacity - port.capacity / 4) return true;
  const size_t clients = port.clients.Count() + (held == 0 ? 1 : 0);
  return held < port.capacity / clients;
}

/** Sends a short answer as well as the socket takes it. */
void SendRefusal(int fd, int status, const char* reason, const char* fields) {
  std::string text = "HTTP/1.1 ";
  const std::string body = std::string(reason) + "\n";
  text.append(std::to_string(status)).append(" ").append(reason).append("\r\n");
  text.append(
      "Content-Type: text/plain; charset=utf-8\r\nX-Content-Type-Options: nosniff\r\nCache-Control: "
      "no-store\r\nConnection: close\r\n");
  text.append(fields).append("Content-Length: ").append(std::to_string(body.size())).append("\r\n\r\n").append(body);
  [[maybe_unused]] const ssize_t sent = send(fd, text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  shutdown(fd, SHUT_WR);
}

/** Reads and drops what is there; false when the connection has ended. */
bool DropInput(int fd) {
  char scrap[16384];
  for (int round = 0; round < 16; ++round) {
    const ssize_t count = recv(fd, scrap, sizeof scrap, MSG_DONTWAIT);
    if (count < 0) return errno == EAGAIN || errno == EINTR;
    if (count == 0) return false;
  }
  return true;
}

/** Closes a connection whose client may still be sending, when it has stopped or after a while. */
void Linger(int fd) {
  if (gate->lingering.size() >= kMaxLingering || !DropInput(fd)) {
    close(fd);
    return;
  }
  gate->lingering.push_back({fd, uv_now(gate->loop) + kLinger});
  StartTicking();
}

void Tick(uv_timer_t*) {
  const uint64_t now = uv_now(gate->loop);
  auto& lingering = gate->lingering;
  for (size_t i = 0; i < lingering.size();) {
    if (DropInput(lingering[i].fd) && now < lingering[i].until) {
      ++i;
      continue;
    }
    close(lingering[i].fd);
    lingering[i] = lingering.back();
    lingering.pop_back();
  }
  bool waits = !lingering.empty();
  for (const auto& port : gate->ports) {
    if (port->pause_left > 0 && --port->pause_left == 0) ResumeAccepting(port.get());
    waits |= port->pause_left > 0;
  }
  if (waits) return;
  gate->is_ticking = false;
  uv_timer_stop(&gate->timer);
}

void Admit(int fd, Port* port, ClientKey client) {
  auto* connection = new Connection;
  connection->port = port;
  connection->client = client;
  gate->connections[fd] = connection;
  gate->states[fd] = 0;
  gate->faults[fd] = 0;
  ++port->open;
  port->clients.Add(client, fd);
}

int OnAccept(int listener, sockaddr* address, socklen_t* size, int flags) {
  Port* port = FindPort(listener);
  if (port == nullptr) return accept4(listener, address, size, flags);
  const socklen_t room = *size;
  for (;;) {
    if (port->open >= port->capacity) {
      PauseAccepting(port, 0);
      return WouldBlock();
    }
    *size = room;
    const int fd = accept4(listener, address, size, flags);
    if (fd < 0) {
      // The listener stays readable: it would be called again at once, for nothing.
      if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
        PauseAccepting(port, 2);
        return WouldBlock();
      }
      return fd;
    }
    const ClientKey client = ClientOf(address, *size);
    if (static_cast<size_t>(fd) >= gate->size) {
      close(fd);
      continue;
    }
    if (!HasPlaceFor(*port, client)) {
      ++gate->words[kUnavailable];
      if (port->is_plain) SendRefusal(fd, 503, "Service Unavailable", "Retry-After: 5\r\n");
      Linger(fd);
      continue;
    }
    Admit(fd, port, client);
    return fd;
  }
}

int OnClose(int fd) {
  if (fd < 0 || static_cast<size_t>(fd) >= gate->size) return close(fd);
  gate->polls[fd] = nullptr;
  if (Connection* connection = gate->connections[fd]) {
    gate->connections[fd] = nullptr;
    gate->states[fd] = 0;
    if (gate->words[kCurrent] == static_cast<uint32_t>(fd)) gate->words[kCurrent] = 0;
    Port* port = connection->port;
    --port->open;
    port->clients.Remove(connection->client, fd);
    const bool lingers = connection->lingers && !connection->has_ended;
    delete connection;
    if (lingers) {
      Linger(fd);
    } else {
      close(fd);
    }
    // A little room, so that a full port does not change its mind at each connection.
    if (port->is_paused && port->pause_left == 0 && port->open + port->capacity / 64 < port->capacity)
      ResumeAccepting(port);
    return 0;
  }
  // A port that is closed while connections of it live on must still be there for them.
  if (Port* port = FindPort(fd)) port->listener = -1;
  return close(fd);
}

// Polling.

int OnPollInit(uv_loop_t* loop, uv_poll_t* poll, uv_os_sock_t fd) {
  const int result = uv_poll_init_socket(loop, poll, fd);
  if (result == 0 && fd >= 0 && static_cast<size_t>(fd) < gate->size) {
    gate->polls[fd] = poll;
    if (Connection* connection = gate->connections[fd]) connection->poll = poll;
  }
  return result;
}

/** What a connection is polled for. One that is not read is still watched for a reset. */
int PolledEvents(const Connection& connection, int events) {
  if (!connection.is_deaf) return events;
  const int others = events & ~UV_READABLE;
  return others == 0 ? static_cast<int>(UV_PRIORITIZED) : others;
}

int OnPollStart(uv_poll_t* poll, int events, uv_poll_cb callback) {
  uv_os_fd_t fd;
  if (uv_fileno(reinterpret_cast<const uv_handle_t*>(poll), &fd) == 0) {
    if (Connection* connection = Find(fd)) {
      connection->events = events;
      return uv_poll_start(poll, PolledEvents(*connection, events), callback);
    }
  }
  return uv_poll_start(poll, events, callback);
}

void SetDeaf(Connection* connection, bool is_deaf) {
  if (connection->is_deaf == is_deaf || connection->poll == nullptr) return;
  connection->is_deaf = is_deaf;
  uv_poll_start(connection->poll, PolledEvents(*connection, connection->events), connection->poll->poll_cb);
}

// Reading.

/** Refuses what came on a connection, and reads it no more. */
ssize_t Refuse(int fd, Connection* connection, int status) {
  const auto [word, reason] = [&]() -> std::pair<Word, const char*> {
    switch (status) {
      case 414:
        return {kTargetTooLong, "URI Too Long"};
      case 429:
        return {kTooManyRequests, "Too Many Requests"};
      case 431:
        return {kHeadTooLarge, "Request Header Fields Too Large"};
      case 505:
        return {kWrongVersion, "HTTP Version Not Supported"};
      default:
        return {kBadRequest, "Bad Request"};
    }
  }();
  ++gate->words[word];
  SendRefusal(fd, status, reason, status == 429 ? "Retry-After: 1\r\n" : "");
  connection->is_dropping = true;
  connection->ClearHeld();
  return WouldBlock();
}

/** Whether a client has as many requests under way as it may. */
bool IsAtItsBound(const Connection& connection) {
  const Port& port = *connection.port;
  if (port.requests == 0 || connection.client == 0) return false;
  const auto& connections = port.clients.Connections(connection.client);
  if (connections.size() <= port.requests) return false;
  // JavaScript ends answers without a call, so that they are counted when it matters.
  uint32_t answering = 0;
  for (const int fd : connections) answering += gate->states[fd] & kAnswering;
  return answering >= port.requests;
}

/**
 * Hands on a head that lies at `data`, in `buffer` itself or in what was held back.
 * @param more whether other bytes follow it
 */
ssize_t HandOn(int fd, Connection* connection, const RequestHead& head, const char* data, char* buffer, size_t room,
               bool more) {
  if (IsAtItsBound(*connection)) return Refuse(fd, connection, 429);
  size_t length = head.length;
  if (!head.is_normal) {
    const std::string normal = NormalHead(data, head);
    if (normal.size() > room) return Refuse(fd, connection, 431);
    memcpy(buffer, normal.data(), normal.size());
    length = normal.size();
  } else if (data != buffer) {
    memmove(buffer, data, length);
  }
  if (head.is_last) {
    connection->is_dropping = true;
    connection->lingers = head.has_body;
    connection->ClearHeld();
  } else if (more) {
    gate->states[fd] |= kHeld;
  }
  gate->states[fd] |= kAnswering;
  gate->words[kCurrent] = static_cast<uint32_t>(fd);
  gate->words[kCurrentFlags] = (head.is_last ? 1u : 0u) | (head.is_old ? 2u : 0u);
  return static_cast<ssize_t>(length);
}

/** While an answer is under way: what comes is held back, up to a bound. */
ssize_t HoldBack(int fd, Connection* connection, char* buffer, size_t room) {
  std::string& held = connection->held;
  held.erase(0, connection->held_at);
  connection->held_at = 0;
  if (held.size() >= kMaxHeld) {
    SetDeaf(connection, true);
    return WouldBlock();
  }
  const ssize_t count = recv(fd, buffer, std::min(room, kMaxHeld - held.size()), 0);
  if (count < 0) return count;
  gate->states[fd] |= kHeld;
  if (count == 0) {
    connection->has_ended = true;
    SetDeaf(connection, true);
  } else {
    held.append(buffer, static_cast<size_t>(count));
  }
  return WouldBlock();
}

/** After the last request of a connection. */
ssize_t Drop(int fd, Connection* connection, char* buffer, size_t room) {
  const ssize_t count = connection->has_ended ? 0 : recv(fd, buffer, room, 0);
  if (count > 0) return WouldBlock();
  if (count < 0) return count;
  connection->has_ended = true;
  if ((gate->states[fd] & kAnswering) == 0) return 0;
  gate->states[fd] |= kHeld;
  SetDeaf(connection, true);
  return WouldBlock();
}

ssize_t OnRecv(int fd, void* data, size_t room, int flags) {
  gate->words[kCurrent] = 0;
  Connection* connection = Find(fd);
  if (connection == nullptr || !connection->port->is_plain) return recv(fd, data, room, flags);
  auto* buffer = static_cast<char*>(data);
  if ((gate->states[fd] & (kAnswering | kLast)) == kLast) {
    connection->lingers = true;
    return 0;
  }
  if (connection->is_dropping) return Drop(fd, connection, buffer, room);
  if ((gate->states[fd] & kAnswering) != 0) return HoldBack(fd, connection, buffer, room);
  gate->states[fd] &= static_cast<uint8_t>(~kHeld);
  std::string& held = connection->held;
  // What is held back is read where it lies, so that a series of requests is not copied once for each of them.
  const RequestHead next = ReadHead(held.data() + connection->held_at, held.size() - connection->held_at);
  if (next.state == RequestHead::kRefused) return Refuse(fd, connection, next.status);
  if (next.state == RequestHead::kWhole) {
    const size_t begin = connection->held_at + next.skipped;
    connection->held_at = begin + next.length;
    return HandOn(fd, connection, next, held.data() + begin, buffer, room, connection->held_at < held.size());
  }
  if (connection->has_ended) return 0;
  // Not as much as there is room for: what follows the head has to be kept.
  const size_t kept = std::min(held.size() - connection->held_at, room);
  const size_t most = std::min(room - kept, kMaxHeld);
  if (kept > 0) memcpy(buffer, held.data() + connection->held_at, kept);
  const ssize_t count = recv(fd, buffer + kept, most, flags);
  if (count <= 0) return count;
  const size_t size = kept + static_cast<size_t>(count);
  const RequestHead head = ReadHead(buffer, size);
  if (head.state == RequestHead::kRefused) return Refuse(fd, connection, head.status);
  const bool is_whole = head.state == RequestHead::kWhole;
  const size_t end = head.skipped + (is_whole ? head.length : 0);
  if (end < size) {
    held.assign(buffer + end, size - end);
    connection->held_at = 0;
  } else {
    connection->ClearHeld();
  }
  if (!is_whole) return WouldBlock();
  return HandOn(fd, connection, head, buffer + head.skipped, buffer, room, end < size);
}

// For JavaScript.

rlim_t DescriptorLimit() {
  rlimit limit{};
  return getrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_cur : 1024;
}

template <typename T>
T* Zeroes(size_t count) {
  return static_cast<T*>(calloc(count, sizeof(T)));
}

bool MakeGate(Napi::Env env) {
  auto* made = new Gate;
  made->size = static_cast<size_t>(std::min<rlim_t>(DescriptorLimit(), kMaxDescriptors));
  made->states = Zeroes<uint8_t>(made->size);
  made->faults = Zeroes<uint8_t>(made->size);
  made->words = Zeroes<uint32_t>(kWords);
  made->connections = Zeroes<Connection*>(made->size);
  made->polls = Zeroes<uv_poll_t*>(made->size);
  const bool is_complete = made->states != nullptr && made->faults != nullptr && made->words != nullptr &&
                           made->connections != nullptr && made->polls != nullptr;
  if (!is_complete || napi_get_uv_event_loop(env, &made->loop) != napi_ok ||
      uv_timer_init(made->loop, &made->timer) != 0)
    return false;
  uv_unref(reinterpret_cast<uv_handle_t*>(&made->timer));
  gate = made;
  const std::array imports{
      Import{"accept4", reinterpret_cast<void*>(OnAccept)},
      Import{"recv", reinterpret_cast<void*>(OnRecv)},
      Import{"close", reinterpret_cast<void*>(OnClose)},
      Import{"uv_poll_init_socket", reinterpret_cast<void*>(OnPollInit)},
      Import{"uv_poll_start", reinterpret_cast<void*>(OnPollStart)},
  };
  return RedirectImports("uws_linux", imports.data(), imports.size());
}

/**
 * `openGate()`: puts the gate in front of the front end, before it listens. Undefined when its module is not one that
 * this works with.
 */
Napi::Value OpenGate(const Napi::CallbackInfo& info) {
  static const bool is_open = MakeGate(info.Env());
  if (!is_open) return info.Env().Undefined();
  auto result = Napi::Object::New(info.Env());
  result.Set("states", Napi::ArrayBuffer::New(info.Env(), gate->states, gate->size));
  result.Set("faults", Napi::ArrayBuffer::New(info.Env(), gate->faults, gate->size));
  result.Set("words", Napi::ArrayBuffer::New(info.Env(), gate->words, kWords * sizeof *gate->words));
  return result;
}

uint32_t NumberOf(const Napi::Object& object, const char* name) {
  const Napi::Value value = object.Get(name);
  return value.IsNumber() ? value.As<Napi::Number>().Uint32Value() : 0;
}

/** `guardPort(port, options)`: guards this process's listeners on `port`. Returns how many there are. */
Napi::Value GuardPort(const Napi::CallbackInfo& info) {
  const uint16_t number = PortOf(info);
  if (number == 0) return info.Env().Undefined();
  if (gate == nullptr || info.Length() < 2 || !info[1].IsObject()) {
    Napi::TypeError::New(info.Env(), "expected options, after openGate").ThrowAsJavaScriptException();
    return info.Env().Undefined();
  }
  const auto options = info[1].As<Napi::Object>();
  const auto not_sent = static_cast<int>(NumberOf(options, "unsentBytes"));
  int listeners = 0;
  ForEachListener(number, [&](int fd) {
    ++listeners;
    // Accepted sockets inherit it.
    if (not_sent > 0) setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &not_sent, sizeof not_sent);
    if (static_cast<size_t>(fd) >= gate->size || FindPort(fd) != nullptr) return;
    auto port = std::make_unique<Port>();
    port->listener = fd;
    port->number = number;
    port->is_plain = options.Get("plain").ToBoolean();
    port->capacity = std::max<uint32_t>(NumberOf(options, "connections"), 1);
    port->per_client = NumberOf(options, "perClient");
    port->requests = NumberOf(options, "requests");
    gate->ports.push_back(std::move(port));
  });
  return Napi::Number::New(info.Env(), listeners);
}

/** `readAgain(fd)`: the answer on a connection has ended for which something is held back. */
Napi::Value ReadAgain(const Napi::CallbackInfo& info) {
  const int fd = info.Length() > 0 && info[0].IsNumber() ? info[0].As<Napi::Number>().Int32Value() : -1;
  Connection* connection = gate == nullptr ? nullptr : Find(fd);
  if (connection == nullptr || connection->poll == nullptr) return info.Env().Undefined();
  const uint8_t state = gate->states[fd];
  if ((state & kAnswering) != 0 || (state & (kHeld | kLast)) == 0) return info.Env().Undefined();
  if (!connection->has_ended) SetDeaf(connection, false);
  connection->poll->poll_cb(connection->poll, 0, UV_READABLE);
  return info.Env().Undefined();
}

/** `descriptorLimit()`: how many descriptors this process may have open. */
Napi::Value DescriptorLimitOf(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), static_cast<double>(DescriptorLimit()));
}

}  // namespace

void InitGate(Napi::Env env, Napi::Object exports) {
  exports.Set("openGate", Napi::Function::New(env, OpenGate, "openGate"));
  exports.Set("guardPort", Napi::Function::New(env, GuardPort, "guardPort"));
  exports.Set("readAgain", Napi::Function::New(env, ReadAgain, "readAgain"));
  exports.Set("descriptorLimit", Napi::Function::New(env, DescriptorLimitOf, "descriptorLimit"));
}
