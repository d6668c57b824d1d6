// Reading and writing: one head at a time, strict and in normal form, each when the answer before has ended and been
// taken by the socket.

#include "gate_read.h"

#include <sys/socket.h>
#include <uv.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <string>

#include "gate_secure.h"
#include "gate_state.h"
#include "gate_turn.h"
#include "ready_answers.h"
#include "request_head.h"
#include "scatter.h"

namespace {

/** Bytes of the head of a TLS record, which ends with the length of what follows, and the most that may follow. */
constexpr size_t kRecordHead = 5;
constexpr size_t kMaxRecord = 16 * 1024 + 256;

void SetDeaf(Connection* connection, bool is_deaf) {
  if (connection->is_deaf == is_deaf || connection->poll == nullptr) return;
  connection->is_deaf = is_deaf;
  Repoll(connection);
}

/** Whether a client has as many requests under way as it may. */
bool IsAtItsBound(const Connection& connection) {
  const Port& port = *connection.port;
  if (port.requests == 0 || connection.client == 0) return false;
  const auto& connections = port.clients.Connections(connection.client);
  if (connections.size() <= port.requests) return false;
  // JavaScript ends an answer by clearing a bit, without a call: answers under way are counted here, when the number is
  // needed.
  uint32_t answering = 0;
  for (const int fd : connections) answering += gate->states[fd] & kAnswering;
  return answering >= port.requests;
}

/** While an answer is under way: keeps what comes in `held`, at most `kMaxHeld` bytes; the rest waits in the kernel. */
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

/**
 * Reads one record, since the front end throws away what it has decrypted when the end of the connection comes with it.
 */
ssize_t ReadRecord(int fd, void* data, size_t room, int flags) {
  uint8_t head[kRecordHead];
  const ssize_t count = recv(fd, head, sizeof head, flags | MSG_PEEK);
  const size_t length = static_cast<size_t>(head[3]) << 8 | head[4];
  const bool is_record = count == static_cast<ssize_t>(sizeof head) && length <= kMaxRecord;
  return recv(fd, data, std::min(room, kRecordHead + (is_record ? length : kMaxRecord)), flags);
}

/**
 * Reads what a connection has next that speaks another protocol: what was held back behind its request, then what
 * comes, as it is. Nothing while the socket owes bytes, so that whoever sends without reading is answered no further.
 */
ssize_t ReadUpgraded(int fd, Connection* connection, char* buffer, size_t room, int flags) {
  const uint8_t state = gate->states[fd];
  if ((state & (kAnswering | kLast)) == kLast) {
    connection->lingers = true;
    return 0;
  }
  if ((state & kAnswering) != 0 || Owes(*connection)) {
    gate->states[fd] |= kHeld;
    SetDeaf(connection, true);
    return WouldBlock();
  }
  gate->states[fd] &= static_cast<uint8_t>(~kHeld);
  const size_t held = connection->held.size() - connection->held_at;
  if (held == 0) return connection->has_ended ? 0 : recv(fd, buffer, room, flags);
  // What has been decrypted already can't be given to a reader of TLS. Clients must not send before the answer (RFC
  // 6455 section 4.1), so the connection ends here.
  if (connection->secure != nullptr) {
    connection->ClearHeld();
    return 0;
  }
  const size_t count = std::min(held, room);
  memcpy(buffer, connection->held.data() + connection->held_at, count);
  connection->held_at += count;
  if (count == held) connection->ClearHeld();
  // The system does not tell of what it has given already.
  if (count < held || connection->has_ended) {
    gate->states[fd] |= kHeld;
    ReadInTurn(fd);
  }
  return static_cast<ssize_t>(count);
}

/** A TLS record, as it is; what it holds comes back by `OnSecureData`. */
ssize_t ReadSecurely(int fd, Connection* connection, void* data, size_t room, int flags) {
  if ((gate->states[fd] & kAnswering) != 0 || Owes(*connection)) {
    gate->states[fd] |= kHeld;
    SetDeaf(connection, true);
    return WouldBlock();
  }
  // The next head is there already, and is about to have its turn.
  if ((gate->states[fd] & kHeld) != 0 && !connection->held.empty()) return WouldBlock();
  gate->states[fd] &= static_cast<uint8_t>(~kHeld);
  return ReadRecord(fd, data, room, flags);
}

/** After the last request of a connection: what still comes is read and dropped. */
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

}  // namespace

void Repoll(Connection* connection) {
  if (connection->poll == nullptr) return;
  uv_poll_start(connection->poll, PolledEvents(*connection), connection->poll->poll_cb);
}

void Lose(Connection* connection) {
  if (connection->is_lost) return;
  connection->is_lost = true;
  connection->is_deaf = false;
  Repoll(connection);
}

ssize_t Refuse(int fd, Connection* connection, int status) {
  if (connection->secure == nullptr) {
    SendRefusal(fd, status);
  } else {
    SendRefusalSecurely(fd, connection, status);
  }
  connection->is_dropping = true;
  connection->ClearHeld();
  return WouldBlock();
}

ssize_t HandOn(int fd, Connection* connection, const RequestHead& head, const char* data, char* buffer, size_t room,
               bool more) {
  if (IsAtItsBound(*connection)) return Refuse(fd, connection, 429);
  bool wants_ready;
  if (AnswerReady(fd, connection, head, {data, head.length}, &wants_ready)) {
    if (more && !connection->is_lost) {
      gate->states[fd] |= kHeld;
      ReadInTurn(fd);
    }
    return WouldBlock();
  }
  connection->heard_at = uv_now(gate->loop);
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
  gate->words[kCurrentFlags] = (head.is_last ? 1u : 0u) | (head.is_old ? 2u : 0u) |
                               (connection->port->is_plain ? 0u : 4u) | (head.is_get ? 8u : 0u) |
                               (head.has_query ? 16u : 0u) | (wants_ready ? kWantsReady : 0u);
  gate->words[kCurrentFields] = head.fields;
  return static_cast<ssize_t>(length);
}

int PolledEvents(const Connection& connection) {
  const int events = connection.events | (connection.owed.empty() ? 0 : UV_WRITABLE);
  if (connection.is_lost) return events | UV_READABLE;
  if (!connection.is_deaf) return events;
  const int others = events & ~UV_READABLE;
  return others == 0 ? static_cast<int>(UV_PRIORITIZED) : others;
}

ssize_t OnRecv(int fd, void* data, size_t room, int flags) {
  gate->words[kCurrent] = 0;
  Connection* connection = Find(fd);
  if (connection != nullptr && connection->is_lost) {
    errno = ECONNRESET;
    return -1;
  }
  if (connection == nullptr) return recv(fd, data, room, flags);
  auto* buffer = static_cast<char*>(data);
  if ((gate->states[fd] & kUpgraded) != 0) return ReadUpgraded(fd, connection, buffer, room, flags);
  if ((gate->states[fd] & (kAnswering | kLast)) == kLast) {
    connection->lingers = true;
    return 0;
  }
  if (!connection->port->is_plain) return ReadSecurely(fd, connection, data, room, flags);
  if (connection->is_dropping) return Drop(fd, connection, buffer, room);
  if ((gate->states[fd] & kAnswering) != 0) return HoldBack(fd, connection, buffer, room);
  if (Owes(*connection)) {
    gate->states[fd] |= kHeld;
    SetDeaf(connection, true);
    return WouldBlock();
  }
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
  // No more than `kMaxHeld` bytes, because what follows the head has to be kept in `held`.
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

ssize_t OnSend(int fd, const void* data, size_t size, int flags) {
  const ssize_t sent = IsStandIn(data) ? SendScattered(fd, size, flags) : send(fd, data, size, flags);
  if (sent == static_cast<ssize_t>(size)) return sent;
  const int error = errno;
  Connection* connection = Find(fd);
  if (connection != nullptr && sent < 0 && error != EAGAIN && error != EWOULDBLOCK && error != EINTR) {
    Lose(connection);
  } else if (connection != nullptr && connection->port->unsent > 0) {
    connection->unsent.Full(fd, uv_now(gate->loop), connection->port->unsent);
  }
  errno = error;
  return sent;
}

bool ReadsOn(int fd, Connection* connection) {
  const uint8_t state = gate->states[fd];
  if ((state & kAnswering) != 0 || (state & (kHeld | kLast)) == 0 || Owes(*connection)) return false;
  if (!connection->has_ended) SetDeaf(connection, false);
  return true;
}
