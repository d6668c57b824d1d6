#include "syncing.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>

#include "arguments.h"

namespace {

/** syncfs(2) on a thread of the pool. */
class Sync : public Napi::AsyncWorker {
 public:
  /** @param fd owned; of the same open file as in JavaScript, to which the kernel tells each failure once */
  Sync(int fd, Napi::Function done) : Napi::AsyncWorker(done), fd_(fd) {}
  ~Sync() override { close(fd_); }

  void Execute() override {
    if (syncfs(fd_) != 0) SetError(std::strerror(errno));
  }
  void OnOK() override { Tell(""); }
  void OnError(const Napi::Error& error) override { Tell(error.Message()); }

 private:
  void Tell(const std::string& failure) {
    Napi::HandleScope scope(Env());
    Callback().Call({Napi::String::New(Env(), failure)});
  }

  int fd_;
};

/** `syncFileSystem(descriptor, done)` */
Napi::Value SyncFileSystem(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  uint32_t descriptor;
  if (!ToUint32(env, info[0], &descriptor)) return env.Undefined();
  const int fd = info[1].IsFunction() ? fcntl(static_cast<int>(descriptor), F_DUPFD_CLOEXEC, 0) : -1;
  if (fd < 0) {
    Napi::Error::New(env, "expected the descriptor of an open file, and a function").ThrowAsJavaScriptException();
    return env.Undefined();
  }
  (new Sync(fd, info[1].As<Napi::Function>()))->Queue();
  return env.Undefined();
}

}  // namespace

void InitSyncing(Napi::Env env, Napi::Object exports) {
  exports.Set("syncFileSystem", Napi::Function::New(env, SyncFileSystem, "syncFileSystem"));
}
