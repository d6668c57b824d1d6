#include "gate_secure.h"

#include <sys/socket.h>

#include <cstdint>
#include <string>

#include "gate_read.h"
#include "refusals.h"
#include "request_head.h"

namespace {

/** The front end's handler of decrypted bytes; returns the socket, which may be another one then. */
void* (*handle_data)(void* socket, char* data, int size);
int (*secure_write)(void* socket, const char* data, int size, int more);
void (*secure_shutdown)(void* socket);

/** Bytes before and behind what the front end's parser is given that it may touch. */
constexpr size_t kPadding = 32;
/** What a head and the fields of its normal form fit into. */
constexpr size_t kRoom = 2 * kMaxHead;
char buffer[kPadding + kRoom + kPadding];

/** Hands on the first head of what is held back, if there is one; returns what the front end's handler does. */
void* HandOnHead(int fd, Connection* connection, bool* is_handed) {
  void* socket = connection->secure;
  std::string& held = connection->held;
  const RequestHead head = ReadHead(held.data() + connection->held_at, held.size() - connection->held_at);
  *is_handed = false;
  if (head.state == RequestHead::kRefused) {
    Refuse(fd, connection, head.status);
    return socket;
  }
  const size_t begin = connection->held_at + head.skipped;
  const bool is_whole = head.state == RequestHead::kWhole;
  connection->held_at = begin + (is_whole ? head.length : 0);
  const bool more = connection->held_at < held.size();
  const ssize_t size =
      is_whole ? HandOn(fd, connection, head, held.data() + begin, buffer + kPadding, kRoom, more) : -1;
  if (!more) connection->ClearHeld();
  if (size < 0) return socket;
  *is_handed = true;
  void* after = handle_data(socket, buffer + kPadding, static_cast<int>(size));
  gate->words[kCurrent] = 0;
  return after;
}

/** Takes what the front end has decrypted of the connection whose events it handles. */
void* OnSecureData(void* socket, char* data, int size) {
  const int fd = gate->handled;
  Connection* connection = Find(fd);
  if (connection == nullptr || connection->port->is_plain) return handle_data(socket, data, size);
  if (connection->is_dropping) return socket;
  connection->secure = socket;
  std::string& held = connection->held;
  held.erase(0, connection->held_at);
  connection->held_at = 0;
  held.append(data, static_cast<size_t>(size));
  bool is_handed;
  return HandOnHead(fd, connection, &is_handed);
}

}  // namespace

std::array<Import, 3> SecureImports() {
  return {
      // The lambda that reads for HTTP, of the module's context of sockets that speak TLS.
      Import{"_ZZN3uWS11HttpContextILb1EE4initEvENUlP11us_socket_tPciE_8__invokeES3_S4_i",
             reinterpret_cast<void*>(OnSecureData), reinterpret_cast<void**>(&handle_data)},
      Import{"us_internal_ssl_socket_write", nullptr, reinterpret_cast<void**>(&secure_write)},
      Import{"us_internal_ssl_socket_shutdown", nullptr, reinterpret_cast<void**>(&secure_shutdown)},
  };
}

bool HandsOnHeld(int fd, Connection* connection) {
  if (connection->secure == nullptr || connection->held.empty() || (gate->states[fd] & (kLast | kUpgraded)) != 0)
    return false;
  gate->states[fd] &= static_cast<uint8_t>(~kHeld);
  bool is_handed;
  HandOnHead(fd, connection, &is_handed);
  return is_handed;
}

void SendRefusalSecurely(int fd, Connection* connection, int status) {
  CountRefusal(fd, status);
  const std::string text = RefusalText(status);
  secure_write(connection->secure, text.data(), static_cast<int>(text.size()), 0);
  secure_shutdown(connection->secure);
  shutdown(fd, SHUT_WR);
}
