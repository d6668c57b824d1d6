#include "listening.h"

#include <netinet/in.h>
#include <sys/socket.h>

bool ListensOn(int fd, uint16_t port) {
  int listening = 0;
  socklen_t size = sizeof listening;
  if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) != 0 || listening == 0) return false;
  sockaddr_storage address{};
  size = sizeof address;
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) return false;
  switch (address.ss_family) {
    case AF_INET:
      return ntohs(reinterpret_cast<const sockaddr_in*>(&address)->sin_port) == port;
    case AF_INET6:
      return ntohs(reinterpret_cast<const sockaddr_in6*>(&address)->sin6_port) == port;
    default:
      return false;
  }
}

uint16_t PortOf(const Napi::CallbackInfo& info) {
  const double number = info.Length() > 0 && info[0].IsNumber() ? info[0].As<Napi::Number>().DoubleValue() : 0;
  if (number >= 1 && number <= UINT16_MAX) return static_cast<uint16_t>(number);
  Napi::RangeError::New(info.Env(), "expected a port from 1 to 65535").ThrowAsJavaScriptException();
  return 0;
}
