#include "scatter.h"

#include <sys/mman.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>

#include "arguments.h"
#include "pieces.h"
#include "shm_run.h"

namespace {

/** Bytes of the stand-in, which is all that one send can stand for. */
constexpr size_t kStandIn = shm::kRunMax;
/** Places of one send; the system takes 1,024. */
constexpr size_t kPlaces = 256;
static_assert(kPlaces >= shm::kPins, "a run fits");

/** Memory that can't be read; the front end's thread is the only one that uses it. */
uint8_t* stand_in = nullptr;
iovec places[kPlaces];
Scattered scattered = {places, kPlaces, 0, 0};

/** `openStandIn()`: the bytes of the stand-in; undefined when it is open already, or there is no room for it. */
Napi::Value OpenStandIn(const Napi::CallbackInfo& info) {
  if (stand_in != nullptr) return info.Env().Undefined();
  void* memory = mmap(nullptr, kStandIn, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) return info.Env().Undefined();
  stand_in = static_cast<uint8_t*>(memory);
  return Napi::ArrayBuffer::New(info.Env(), stand_in, kStandIn);
}

/** scatterPieces(offsets, begins, at, run, base, most) */
Napi::Value ScatterPiecesOf(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  const double *offsets, *begins;
  uint8_t* run;
  size_t count, bounds, length;
  double at, base;
  uint32_t most;
  if (!ToNumbers(env, info[0], &offsets, &count) || !ToNumbers(env, info[1], &begins, &bounds) ||
      !ToDouble(env, info[2], &at) || !ToBytes(env, info[3], &run, &length) || !ToDouble(env, info[4], &base) ||
      !ToUint32(env, info[5], &most)) {
    return env.Undefined();
  }
  if (bounds == 0 || bounds - 1 != count || most > kStandIn) {
    Napi::RangeError::New(env, "expected a begin for each piece and one more, and no more bytes than are stood in for")
        .ThrowAsJavaScriptException();
    return env.Undefined();
  }
  ForgetStoodFor();
  ScatterPieces({offsets, begins, count}, at, run, length, base, most, &scattered);
  return Napi::Number::New(env, static_cast<double>(scattered.bytes));
}

/** `forgetPieces()`: what the stand-in stood for is not to be touched any more. */
Napi::Value ForgetPieces(const Napi::CallbackInfo& info) {
  ForgetStoodFor();
  return info.Env().Undefined();
}

}  // namespace

void StandFor(const iovec* those, size_t count, size_t bytes) {
  std::copy(those, those + count, places);
  scattered.count = count;
  scattered.bytes = bytes;
}

void ForgetStoodFor() {
  scattered.count = 0;
  scattered.bytes = 0;
}

bool IsStandIn(const void* data) {
  const auto* bytes = static_cast<const uint8_t*>(data);
  return stand_in != nullptr && bytes >= stand_in && bytes < stand_in + kStandIn;
}

ssize_t SendScattered(int fd, size_t size, int flags) {
  if (size != scattered.bytes) {
    errno = EFAULT;
    return -1;
  }
  msghdr message{};
  message.msg_iov = scattered.places;
  message.msg_iovlen = scattered.count;
  return sendmsg(fd, &message, flags);
}

void InitScatter(Napi::Env env, Napi::Object exports) {
  exports.Set("openStandIn", Napi::Function::New(env, OpenStandIn, "openStandIn"));
  exports.Set("scatterPieces", Napi::Function::New(env, ScatterPiecesOf, "scatterPieces"));
  exports.Set("forgetPieces", Napi::Function::New(env, ForgetPieces, "forgetPieces"));
}
