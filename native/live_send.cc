// Sends one batch of a live stream to many sockets, in one call.
//
// The sockets are the front end's, whose answers have been begun and which owe nothing: between two batches the front
// end writes nothing to them. What a socket does not take is not kept here; the caller sends the rest of it later, out
// of the ring. So a viewer that is slow costs no memory.
#include "live_send.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>

#include "arguments.h"
#include "gate_read.h"
#include "gate_state.h"

namespace {

/** What a socket took, or that it takes nothing any more. */
constexpr int32_t kGone = -1;

int32_t SendOne(int fd, const uint8_t* prefix, size_t prefixLength, const uint8_t* payload, size_t length,
                size_t skip) {
  iovec parts[2];
  size_t count = 0;
  if (skip < prefixLength) {
    parts[count++] = {const_cast<uint8_t*>(prefix) + skip, prefixLength - skip};
    skip = 0;
  } else {
    skip -= prefixLength;
  }
  if (skip < length) parts[count++] = {const_cast<uint8_t*>(payload) + skip, length - skip};
  msghdr message = {};
  message.msg_iov = parts;
  message.msg_iovlen = count;
  for (;;) {
    const ssize_t sent = sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent >= 0) return static_cast<int32_t>(sent);
    if (errno == EINTR) continue;
    return errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOBUFS || errno == ENOMEM ? 0 : kGone;
  }
}

/** sendToAll(sockets, count, prefix, payload, skip, taken) */
Napi::Value SendToAll(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  uint8_t *prefix, *payload;
  size_t prefixLength, length;
  uint32_t count, skip;
  if (!ToUint32(env, info[1], &count) || !ToBytes(env, info[2], &prefix, &prefixLength) ||
      !ToBytes(env, info[3], &payload, &length) || !ToUint32(env, info[4], &skip))
    return env.Undefined();
  const bool areArrays = info[0].IsTypedArray() && info[5].IsTypedArray() &&
                         info[0].As<Napi::TypedArray>().TypedArrayType() == napi_int32_array &&
                         info[5].As<Napi::TypedArray>().TypedArrayType() == napi_int32_array;
  if (!areArrays || info[0].As<Napi::Int32Array>().ElementLength() < count ||
      info[5].As<Napi::Int32Array>().ElementLength() < count || length > INT32_MAX / 2 || prefixLength > 64 ||
      skip >= prefixLength + length) {
    Napi::RangeError::New(env, "expected Int32Arrays of so many sockets, and bytes").ThrowAsJavaScriptException();
    return env.Undefined();
  }
  const int32_t* sockets = info[0].As<Napi::Int32Array>().Data();
  int32_t* taken = info[5].As<Napi::Int32Array>().Data();
  const auto wanted = static_cast<int32_t>(prefixLength + length - skip);
  uint32_t short_of = 0;
  for (uint32_t i = 0; i < count; i++) {
    // Bytes of the front end's own, such as the answer to a ping, must not be broken.
    const Connection* connection = gate == nullptr ? nullptr : Find(sockets[i]);
    const bool is_free = connection == nullptr || !Owes(*connection);
    taken[i] = is_free ? SendOne(sockets[i], prefix, prefixLength, payload, length, skip) : 0;
    if (taken[i] != wanted) short_of++;
  }
  return Napi::Number::New(env, short_of);
}

/** limitUnsent(socket, bytes): how much the kernel takes beyond what it has sent. */
Napi::Value LimitUnsent(const Napi::CallbackInfo& info) {
  uint32_t socket, bytes;
  if (!ToUint32(info.Env(), info[0], &socket) || !ToUint32(info.Env(), info[1], &bytes)) return info.Env().Undefined();
  const int limit = static_cast<int>(bytes & INT32_MAX);
  setsockopt(static_cast<int>(socket), IPPROTO_TCP, TCP_NOTSENT_LOWAT, &limit, sizeof limit);
  return info.Env().Undefined();
}

}  // namespace

void InitLiveSend(Napi::Env env, Napi::Object exports) {
  exports.Set("sendToAll", Napi::Function::New(env, SendToAll, "sendToAll"));
  exports.Set("limitUnsent", Napi::Function::New(env, LimitUnsent, "limitUnsent"));
}
