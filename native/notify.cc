#include "notify.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <string>

namespace {

/** Sends one datagram. Returns 0, or the error's number. */
int Send(const std::string& path, const std::string& text) {
  sockaddr_un address{};
  // A name that begins with '@' is one of Linux's abstract names, which begin with a zero.
  if (path.size() < 2 || path.size() >= sizeof address.sun_path || (path[0] != '/' && path[0] != '@')) return EINVAL;
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.c_str(), path.size());
  if (path[0] == '@') address.sun_path[0] = 0;
  const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return errno;
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size());
  const ssize_t sent =
      sendto(fd, text.data(), text.size(), MSG_NOSIGNAL, reinterpret_cast<const sockaddr*>(&address), size);
  const int error = sent < 0 ? errno : 0;
  close(fd);
  return error;
}

/** `notifyManager(socket, text)`: nothing waits for a manager that does not read. */
Napi::Value NotifyManager(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const bool isRight = info.Length() > 1 && info[0].IsString() && info[1].IsString();
  const int error = isRight ? Send(info[0].As<Napi::String>(), info[1].As<Napi::String>()) : EINVAL;
  if (error != 0) Napi::Error::New(env, std::strerror(error)).ThrowAsJavaScriptException();
  return env.Undefined();
}

}  // namespace

void InitNotify(Napi::Env env, Napi::Object exports) {
  exports.Set("notifyManager", Napi::Function::New(env, NotifyManager, "notifyManager"));
}
