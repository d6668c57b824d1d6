// What the gate knows of ports and connections. Everything here belongs to the thread of the front end's event loop.
#ifndef MOOVEDGE_GATE_STATE_H_
#define MOOVEDGE_GATE_STATE_H_

#include <sys/socket.h>
#include <uv.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "account.h"
#include "clients.h"
#include "message_frames.h"
#include "refusals.h"
#include "unsent.h"

/** Most descriptors of a process that are looked after; what has a higher number is closed at once. */
constexpr size_t kMaxDescriptors = size_t{1} << 20;
/** States of a connection that JavaScript sees, and takes `kAnswering` from. */
constexpr uint8_t kAnswering = 1;
/**
 * Bytes of the client, or its last, are held back until the answer has ended; JavaScript is to call `readAgain` then.
 */
constexpr uint8_t kHeld = 2;
/** The connection is to be closed when the answer has ended; set by JavaScript, which calls `readAgain` then. */
constexpr uint8_t kLast = 4;
/**
 * The connection speaks another protocol from here on, and its bytes go on as they come; set by JavaScript, which sets
 * `kAnswering` while the socket owes the rest of a frame.
 */
constexpr uint8_t kUpgraded = 8;

/** The bit of `kCurrentFlags` that says that a ready answer would be of use. */
constexpr uint32_t kWantsReady = 32;

/** Words that JavaScript sees; the order is that in src/http/gate.ts. */
enum Word : size_t {
  /** Descriptor of the connection whose head was handed on last; 0 is none. */
  kCurrent,
  /**
   * 1: the connection is to be closed after the answer. 2: the client speaks HTTP/1.0, which has no chunked coding. 4:
   * it speaks TLS. 8: the method is GET. 16: the target has a query. 32: the same has been asked for before, and a
   * ready answer would be of use.
   */
  kCurrentFlags,
  /** Which of `kNotedFields` that head bears. */
  kCurrentFields,
  kBadRequest,
  kTargetTooLong,
  kTooManyRequests,
  kHeadTooLarge,
  kWrongVersion,
  kUnavailable,
  kPauses,
  /** Bytes of the records of ready answers; set back to 0 by JavaScript, which takes them. */
  kRecorded,
  kWords,
};

struct Port;

struct Connection {
  Port* port = nullptr;
  ClientKey client = 0;
  /** The client's, or its own where there is none. */
  std::shared_ptr<Account> account;
  uv_poll_t* poll = nullptr;
  /** When the front end was given a request last, by the loop's clock. */
  uint64_t heard_at = 0;
  /** Address of the other end, as text, once an answer has been recorded. */
  std::string address;
  /** What the socket did not take of a ready answer. */
  std::string owed;
  /** What the front end polls for, and what it wants called. */
  int events = 0;
  uv_poll_cb callback = nullptr;
  /** It has told its account, and waits for its turn. */
  bool waits = false;
  /** What is held back is to be read in its turn. */
  bool reads_on = false;
  /** What the system has told since its last turn. */
  int due = 0;
  UnsentLimit unsent;
  /** The front end's socket, once something has been decrypted for it. */
  void* secure = nullptr;
  /** The other side has sent its last byte. */
  bool has_ended = false;
  /** The socket takes nothing any more: the other side is gone. */
  bool is_lost = false;
  /** Nothing more is read for now. */
  bool is_deaf = false;
  /** What still comes is thrown away. */
  bool is_dropping = false;
  /** A request announced content, of which some may still be coming: the connection lingers when it is closed. */
  bool lingers = false;
  /** Where it is in what it sends by WebSocket. */
  MessageFrames frames;
  /** A partial head, or what follows the head that is being answered. */
  std::string held;
  /** Offset in `held` of the first byte that has not been handed on. */
  size_t held_at = 0;

  void ClearHeld() {
    // Nearly always it holds nothing, and has no memory of its own.
    if (held.capacity() > std::string().capacity()) std::string().swap(held);
    held.clear();
    held_at = 0;
  }
};

/** A guarded listening socket. */
struct Port {
  int listener = -1;
  uint16_t number = 0;
  /** False on a port that speaks TLS. */
  bool is_plain = true;
  uint32_t capacity = 0;
  /** Most connections of a client; 0 is a fair share when places are scarce. */
  uint32_t per_client = 0;
  /** Most requests under way of a client; 0 is no bound. */
  uint32_t requests = 0;
  /** Clients on this machine are bounded, too. */
  bool bounds_loopback = false;
  /** Proxies, whose connections many clients share: they are bounded by places alone. */
  Networks trusted;
  /** Bytes that the kernel takes of an answer beyond what it has sent; 0 is as many as it likes. */
  uint32_t unsent = 0;
  uint32_t open = 0;
  /** The turn of the loop in which it accepted last, and when it began to in that turn. */
  uint64_t accepts_in = 0;
  uint64_t accepts_since = 0;
  bool is_paused = false;
  /** Ticks of the gate's timer until the listener accepts again, when it has paused for want of descriptors; else 0. */
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
  /** Descriptor of the connection whose events the front end is handling; 0 is none. */
  int handled = 0;
  /** Turns of the loop so far. */
  uint64_t turns = 0;
  uv_timer_t timer{};
  bool is_ticking = false;
  /** JavaScript takes `refusals`, so they are noted. */
  bool notes_refusals = false;
  std::vector<Refusal> refusals;
};

/** The one gate of this process; null until it is made. */
extern Gate* gate;

inline Connection* Find(int fd) {
  return fd >= 0 && static_cast<size_t>(fd) < gate->size ? gate->connections[fd] : nullptr;
}

/** The port of a listening socket. */
inline Port* FindPort(int listener) {
  for (const auto& port : gate->ports) {
    if (port->listener == listener) return port.get();
  }
  return nullptr;
}

/** What a function of sockets returns when there is nothing for the front end. */
inline int WouldBlock() {
  errno = EAGAIN;
  return -1;
}

#endif  // MOOVEDGE_GATE_STATE_H_
