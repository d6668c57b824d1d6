// Stops new connections from reaching the sockets on which this process listens, so that a listener can be closed
// without losing any.
//
// Closing a listening socket resets every connection that the kernel has completed but the process has not accepted
// yet. Where several processes listen on one port (SO_REUSEPORT), two filters see to it that none comes any more:
// - a program of the whole group of listeners chooses among those that shall stay. The kernel numbers a group's sockets
//   in the order in which they began to listen, so those that came last are the highest; when one closes, the last
//   takes its number. A number that no socket has makes the kernel choose by its own hash.
// - where that choice is wrong, because a listener has died and another has its number, a filter on the socket that is
//   about to go drops the SYN: the client sends it again a second later, and by then the kernel knows only the other
//   listeners.
// Handshakes that have begun go on, since only segments with SYN and without ACK are dropped; once the accept queue is
// empty the socket can be closed.

#include <linux/filter.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <string>

#include "listener.h"
#include "listening.h"

namespace {

/**
 * Offset of the byte with the flags in a TCP header (RFC 9293 section 3.1), which is where a socket's filter starts to
 * read.
 */
constexpr uint32_t kFlagsOffset = 13;
constexpr uint32_t kSyn = 0x02;
constexpr uint32_t kAck = 0x10;
/** The whole segment passes. */
constexpr uint32_t kPass = 0xffffffff;

/** Drops segments that open a connection. */
sock_filter kNoNewConnections[] = {
    {BPF_LD | BPF_B | BPF_ABS, 0, 0, kFlagsOffset},
    {BPF_ALU | BPF_AND | BPF_K, 0, 0, kSyn | kAck},
    {BPF_JMP | BPF_JEQ | BPF_K, 0, 1, kSyn},
    {BPF_RET | BPF_K, 0, 0, 0},
    {BPF_RET | BPF_K, 0, 0, kPass},
};

/** Operand of a load that gives a random number. */
constexpr uint32_t kRandom = static_cast<uint32_t>(SKF_AD_OFF) + SKF_AD_RANDOM;

void ThrowSystem(Napi::Env env, const char* what, int error) {
  Napi::Error::New(env, std::string(what) + ": " + std::strerror(error)).ThrowAsJavaScriptException();
}

/**
 * `refuseConnections(port)`: this process's listeners take no new handshake from here on. Returns how many listeners
 * there are, or -1 when the process may not say so: newer kernels want CAP_NET_ADMIN.
 */
Napi::Value RefuseConnections(const Napi::CallbackInfo& info) {
  const uint16_t port = PortOf(info);
  if (port == 0) return info.Env().Undefined();
  const sock_fprog program{sizeof kNoNewConnections / sizeof kNoNewConnections[0], kNoNewConnections};
  int listeners = 0;
  int refusal = 0;
  const int error = ForEachListener(port, [&](int fd) {
    ++listeners;
    if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) != 0) refusal = errno;
  });
  if (error == 0 && refusal == EPERM) return Napi::Number::New(info.Env(), -1);
  if (error != 0 || refusal != 0) {
    ThrowSystem(info.Env(), "can't filter the listening socket", error != 0 ? error : refusal);
    return info.Env().Undefined();
  }
  return Napi::Number::New(info.Env(), listeners);
}

/**
 * `refuseByHops(port)`: as `refuseConnections`, for processes without CAP_NET_ADMIN. The listeners drop what comes from
 * further than the next link (RFC 5082), which is every client whose system starts at the usual 64 or 128 hops. What
 * they accept inherits that, so this is for the moment before the close. Whatever the kernel does not know is left out.
 */
Napi::Value RefuseByHops(const Napi::CallbackInfo& info) {
  const uint16_t port = PortOf(info);
  if (port == 0) return info.Env().Undefined();
  const int hops = 255;
  ForEachListener(port, [&](int fd) {
    setsockopt(fd, IPPROTO_IP, IP_MINTTL, &hops, sizeof hops);
    setsockopt(fd, IPPROTO_IPV6, IPV6_MINHOPCOUNT, &hops, sizeof hops);
  });
  return info.Env().Undefined();
}

/** The argument at `index` as a number of listeners; -1 after throwing when it is none. */
int32_t CountOf(const Napi::CallbackInfo& info, size_t index) {
  const double number =
      info.Length() > index && info[index].IsNumber() ? info[index].As<Napi::Number>().DoubleValue() : -1;
  if (number >= 0 && number <= UINT16_MAX) return static_cast<int32_t>(number);
  Napi::RangeError::New(info.Env(), "expected a number of listeners").ThrowAsJavaScriptException();
  return -1;
}

/**
 * `steerConnections(port, first, count)`: new connections on `port` go to the `count` listeners, of all processes that
 * share the port, that come after the first `first`. With a count of 0 the kernel chooses again.
 */
Napi::Value SteerConnections(const Napi::CallbackInfo& info) {
  const uint16_t port = PortOf(info);
  if (port == 0) return info.Env().Undefined();
  const int32_t first = CountOf(info, 1);
  if (first < 0) return info.Env().Undefined();
  const int32_t count = CountOf(info, 2);
  if (count < 0) return info.Env().Undefined();
  sock_filter choose[] = {
      {BPF_LD | BPF_W | BPF_ABS, 0, 0, kRandom},
      {BPF_ALU | BPF_MOD | BPF_K, 0, 0, static_cast<uint32_t>(count)},
      {BPF_ALU | BPF_ADD | BPF_K, 0, 0, static_cast<uint32_t>(first)},
      {BPF_RET | BPF_A, 0, 0, 0},
  };
  const sock_fprog program{sizeof choose / sizeof choose[0], choose};
  int refusal = 0;
  const int error = ForEachListener(port, [&](int fd) {
    const int result = count == 0 ? setsockopt(fd, SOL_SOCKET, SO_DETACH_REUSEPORT_BPF, &count, sizeof count)
                                  : setsockopt(fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &program, sizeof program);
    // ENOENT: another process has detached the program already.
    if (result != 0 && errno != ENOENT) refusal = errno;
  });
  if (error != 0 || refusal != 0) ThrowSystem(info.Env(), "can't steer new connections", error != 0 ? error : refusal);
  return info.Env().Undefined();
}

/** `waitingConnections(port)`: connections that this process could accept at once. */
Napi::Value WaitingConnections(const Napi::CallbackInfo& info) {
  const uint16_t port = PortOf(info);
  if (port == 0) return info.Env().Undefined();
  double waiting = 0;
  const int error = ForEachListener(port, [&](int fd) {
    tcp_info state{};
    socklen_t size = sizeof state;
    // For a listening socket the kernel tells the length of the accept queue here.
    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &state, &size) == 0) waiting += state.tcpi_unacked;
  });
  if (error != 0) {
    ThrowSystem(info.Env(), "can't list the process's sockets", error);
    return info.Env().Undefined();
  }
  return Napi::Number::New(info.Env(), waiting);
}

}  // namespace

void InitListener(Napi::Env env, Napi::Object exports) {
  exports.Set("refuseConnections", Napi::Function::New(env, RefuseConnections, "refuseConnections"));
  exports.Set("refuseByHops", Napi::Function::New(env, RefuseByHops, "refuseByHops"));
  exports.Set("steerConnections", Napi::Function::New(env, SteerConnections, "steerConnections"));
  exports.Set("waitingConnections", Napi::Function::New(env, WaitingConnections, "waitingConnections"));
}
