// Accepting and closing: places for connections, shared evenly among clients while they are scarce.

#include "gate_accept.h"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>

#include "gate_state.h"

namespace {

/**
 * Most connections that linger: their answer has ended, but their client may still be sending, and if they were closed
 * at once it could lose the answer (RFC 9112 section 9.6).
 */
constexpr size_t kMaxLingering = 256;
/** At most one in so many descriptors is for them, since they are taken from the reserve for misses. */
constexpr size_t kLingeringShare = 32;
/** Milliseconds that one lingers. */
constexpr uint64_t kLinger = 2000;
/** Milliseconds between two ticks of the gate's timer, which runs while connections linger or listeners pause. */
constexpr uint64_t kTick = 100;
/** Nanoseconds of one turn of the loop for new connections; the listener stays readable, and goes on in the next. */
constexpr uint64_t kTurn = 2'000'000;

void Tick(uv_timer_t*);

void StartTicking() {
  if (gate->is_ticking) return;
  gate->is_ticking = true;
  uv_timer_start(&gate->timer, Tick, kTick, kTick);
}

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

/** Whether a port may accept on in this turn of the loop. */
bool HasTime(Port* port) {
  const uint64_t now = uv_hrtime();
  if (port->accepts_in != gate->turns) {
    port->accepts_in = gate->turns;
    port->accepts_since = now;
  }
  return now - port->accepts_since < kTurn;
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

/** Reads and drops what is there; false when the connection has ended. */
bool DropInput(int fd) {
  char scrap[16384];
  for (int round = 0; round < 4; ++round) {
    const ssize_t count = recv(fd, scrap, sizeof scrap, MSG_DONTWAIT);
    if (count < 0) return errno == EAGAIN || errno == EINTR;
    if (count == 0) return false;
  }
  return true;
}

/** Ends a connection whose client may still be sending, and closes it when that has stopped or after a while. */
void Linger(int fd) {
  shutdown(fd, SHUT_WR);
  if (gate->lingering.size() >= std::min(kMaxLingering, gate->size / kLingeringShare) || !DropInput(fd)) {
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
  connection->account = port->clients.Add(client, fd);
}

}  // namespace

int OnAccept(int listener, sockaddr* address, socklen_t* size, int flags) {
  Port* port = FindPort(listener);
  if (port == nullptr) return accept4(listener, address, size, flags);
  const socklen_t room = *size;
  while (HasTime(port)) {
    if (port->open >= port->capacity) {
      PauseAccepting(port, 0);
      return WouldBlock();
    }
    *size = room;
    const int fd = accept4(listener, address, size, flags);
    if (fd < 0) {
      // No descriptor or memory is left. The listener stays readable, and unless it pauses the loop calls this without
      // end.
      if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
        PauseAccepting(port, 2);
        return WouldBlock();
      }
      return fd;
    }
    ClientKey client = ClientOf(address, *size, port->bounds_loopback);
    if (client != 0 && !(port->bounds_loopback && ClientOf(address, *size, false) == 0) &&
        port->trusted.Has(address, *size))
      client = 0;
    if (static_cast<size_t>(fd) >= gate->size) {
      close(fd);
      continue;
    }
    if (!HasPlaceFor(*port, client)) {
      if (port->is_plain) {
        SendRefusal(fd, 503);
        Linger(fd);
      } else {
        CountRefusal(fd, 503);
        close(fd);
      }
      continue;
    }
    Admit(fd, port, client);
    return fd;
  }
  return WouldBlock();
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
    connection->unsent.Forget();
    const bool lingers = connection->lingers && !connection->has_ended;
    delete connection;
    if (lingers) {
      Linger(fd);
    } else {
      close(fd);
    }
    // Only when a few places are free, so that a full port does not pause and accept again with each connection.
    if (port->is_paused && port->pause_left == 0 && port->open + port->capacity / 64 < port->capacity)
      ResumeAccepting(port);
    return 0;
  }
  // The port's entry stays: connections that were accepted on it live on and refer to it.
  if (Port* port = FindPort(fd)) port->listener = -1;
  return close(fd);
}
