#include "opening.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string>

namespace {

/** Connections that may wait to be accepted; the kernel has a bound of its own (net.core.somaxconn). */
constexpr int kBacklog = 4096;
constexpr int kFlags = SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC;

Napi::Value Throw(Napi::Env env, int error) {
  Napi::Error::New(env, std::strerror(error)).ThrowAsJavaScriptException();
  return env.Undefined();
}

/** Closes what has been opened of a listener that can't be made, and throws why. */
Napi::Value Fail(Napi::Env env, int fd) {
  const int error = errno;
  if (fd >= 0) close(fd);
  return Throw(env, error);
}

/** `openListener(address, port)`: a socket that listens at an IP address, which other processes can share. */
Napi::Value OpenListener(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const double port = info.Length() > 1 && info[1].IsNumber() ? info[1].As<Napi::Number>().DoubleValue() : -1;
  if (!info[0].IsString() || !(port >= 0 && port <= UINT16_MAX)) return Throw(env, EINVAL);
  const std::string text = info[0].As<Napi::String>();
  sockaddr_storage address{};
  socklen_t size = 0;
  auto* v4 = reinterpret_cast<sockaddr_in*>(&address);
  auto* v6 = reinterpret_cast<sockaddr_in6*>(&address);
  if (inet_pton(AF_INET, text.c_str(), &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons(static_cast<uint16_t>(port));
    size = sizeof *v4;
  } else if (inet_pton(AF_INET6, text.c_str(), &v6->sin6_addr) == 1) {
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(static_cast<uint16_t>(port));
    size = sizeof *v6;
  } else {
    return Throw(env, EINVAL);
  }
  const int fd = socket(address.ss_family, kFlags, 0);
  const int on = 1;
  if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
      setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) != 0 ||
      bind(fd, reinterpret_cast<const sockaddr*>(&address), size) != 0 || listen(fd, kBacklog) != 0) {
    return Fail(env, fd);
  }
  return Napi::Number::New(env, fd);
}

/**
 * `openUnixListener(path, mode)`: a Unix socket that listens under `path`, in the place of one that is there already:
 * whoever connects finds the old one or the new one, and never none.
 */
Napi::Value OpenUnixListener(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  if (info.Length() < 2 || !info[0].IsString() || !info[1].IsNumber()) return Throw(env, EINVAL);
  const std::string path = info[0].As<Napi::String>();
  const std::string fresh = path + "." + std::to_string(getpid());
  sockaddr_un address{};
  if (fresh.size() >= sizeof address.sun_path) return Throw(env, ENAMETOOLONG);
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, fresh.c_str(), fresh.size());
  unlink(fresh.c_str());
  const int fd = socket(AF_UNIX, kFlags, 0);
  if (fd < 0 || bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return Fail(env, fd);
  // Nobody can connect before it listens, so none does before its mode is right.
  if (chmod(fresh.c_str(), static_cast<mode_t>(info[1].As<Napi::Number>().Uint32Value() & 0777)) != 0 ||
      listen(fd, kBacklog) != 0 || rename(fresh.c_str(), path.c_str()) != 0) {
    const int error = errno;
    unlink(fresh.c_str());
    close(fd);
    return Throw(env, error);
  }
  return Napi::Number::New(env, fd);
}

}  // namespace

void InitOpening(Napi::Env env, Napi::Object exports) {
  exports.Set("openListener", Napi::Function::New(env, OpenListener, "openListener"));
  exports.Set("openUnixListener", Napi::Function::New(env, OpenUnixListener, "openUnixListener"));
}
