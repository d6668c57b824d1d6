// Has the pieces of a track put together as they are sent.
#include "gathering.h"

#include <cstddef>
#include <cstdint>

#include "arguments.h"
#include "pieces.h"

namespace {

/** gatherPieces(offsets, begins, at, run, base, target) */
Napi::Value Gather(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  const double *offsets, *begins;
  uint8_t *run, *target;
  size_t count, bounds, length, room;
  double at, base;
  if (!ToNumbers(env, info[0], &offsets, &count) || !ToNumbers(env, info[1], &begins, &bounds) ||
      !ToDouble(env, info[2], &at) || !ToBytes(env, info[3], &run, &length) || !ToDouble(env, info[4], &base) ||
      !ToBytes(env, info[5], &target, &room)) {
    return env.Undefined();
  }
  const bool overlaps = run < target + room && target < run + length;
  if (bounds == 0 || bounds - 1 != count || overlaps) {
    Napi::RangeError::New(env, "expected a begin for each piece and one more, and bytes that do not overlap")
        .ThrowAsJavaScriptException();
    return env.Undefined();
  }
  const size_t put = GatherPieces({offsets, begins, count}, at, run, length, base, target, room);
  return Napi::Number::New(env, static_cast<double>(put));
}

}  // namespace

void InitGathering(Napi::Env env, Napi::Object exports) {
  exports.Set("gatherPieces", Napi::Function::New(env, Gather, "gatherPieces"));
}
