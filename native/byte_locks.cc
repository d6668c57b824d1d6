#include "byte_locks.h"

#include <cerrno>
#include <cstdint>

#include "shm_system.h"

namespace {

/** The first of them: no file has bytes there. */
constexpr int64_t kFirstByte = int64_t{1} << 62;
constexpr double kMaxIndex = 1024;

/** Reads a file's descriptor and the index of a byte; false when they are none. */
bool ReadByte(const Napi::CallbackInfo& info, int* fd, int64_t* byte) {
  if (info.Length() < 2 || !info[0].IsNumber() || !info[1].IsNumber()) return false;
  const double index = info[1].As<Napi::Number>().DoubleValue();
  if (!(index >= 0 && index < kMaxIndex)) return false;
  *fd = info[0].As<Napi::Number>().Int32Value();
  *byte = kFirstByte + static_cast<int64_t>(index);
  return true;
}

/** `tryLockByte(fd, index, exclusive)`: true when it is taken, false when another open file has it. */
Napi::Value TryLockByte(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  int fd = -1;
  int64_t byte = 0;
  if (!ReadByte(info, &fd, &byte) || info.Length() < 3 || !info[2].IsBoolean()) {
    Napi::TypeError::New(env, "expected a descriptor, the index of a byte, and whether the lock is exclusive")
        .ThrowAsJavaScriptException();
    return env.Undefined();
  }
  if (shm::TryLock(fd, byte, info[2].As<Napi::Boolean>())) return Napi::Boolean::New(env, true);
  // A file system without such locks has nobody wait for them.
  return Napi::Boolean::New(env, errno != EAGAIN && errno != EACCES);
}

/** `unlockByte(fd, index)`. */
Napi::Value UnlockByte(const Napi::CallbackInfo& info) {
  int fd = -1;
  int64_t byte = 0;
  if (ReadByte(info, &fd, &byte)) shm::Unlock(fd, byte);
  return info.Env().Undefined();
}

}  // namespace

void InitByteLocks(Napi::Env env, Napi::Object exports) {
  exports.Set("tryLockByte", Napi::Function::New(env, TryLockByte, "tryLockByte"));
  exports.Set("unlockByte", Napi::Function::New(env, UnlockByte, "unlockByte"));
}
