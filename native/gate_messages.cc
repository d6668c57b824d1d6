#include "gate_messages.h"

#include <sys/socket.h>

#include "gate_state.h"

namespace {

using Reader = void* (*)(void* socket, char* data, int size);

/** The front end's readers of frames, on ports that speak TLS and on others; they return the socket. */
Reader read_plainly;
Reader read_securely;

void* Read(Reader reader, void* socket, char* data, int size) {
  const int fd = gate->handled;
  Connection* connection = Find(fd);
  if (connection == nullptr || connection->frames.Read(data, static_cast<size_t>(size)))
    return reader(socket, data, size);
  // The front end finds the connection at its end as it reads on.
  shutdown(fd, SHUT_RDWR);
  return socket;
}

void* OnFrames(void* socket, char* data, int size) { return Read(read_plainly, socket, data, size); }

void* OnSecureFrames(void* socket, char* data, int size) { return Read(read_securely, socket, data, size); }

}  // namespace

std::array<Import, 2> MessageImports() {
  // The lambdas that read, of the module's contexts of WebSockets.
  return {
      Import{"_ZZN3uWS16WebSocketContextILb0ELb1E13PerSocketDataE4initEvENUlPT_PciE_8__invokeI11us_socket_tEEDaS4_S5_i",
             reinterpret_cast<void*>(OnFrames), reinterpret_cast<void**>(&read_plainly)},
      Import{"_ZZN3uWS16WebSocketContextILb1ELb1E13PerSocketDataE4initEvENUlPT_PciE_8__invokeI11us_socket_tEEDaS4_S5_i",
             reinterpret_cast<void*>(OnSecureFrames), reinterpret_cast<void**>(&read_securely)},
  };
}
