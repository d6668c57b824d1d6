#include "peer_address.h"

#include <arpa/inet.h>
#include <sys/socket.h>

#include <cstring>

in6_addr PeerOf(int fd) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  in6_addr client{};
  if (getpeername(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) return client;
  if (address.ss_family == AF_INET6) return reinterpret_cast<const sockaddr_in6*>(&address)->sin6_addr;
  if (address.ss_family != AF_INET) return client;
  client.s6_addr[10] = client.s6_addr[11] = 0xff;
  memcpy(client.s6_addr + 12, &reinterpret_cast<const sockaddr_in*>(&address)->sin_addr, 4);
  return client;
}

std::string AddressText(const in6_addr& address) {
  char text[INET6_ADDRSTRLEN] = "";
  if (IN6_IS_ADDR_V4MAPPED(&address)) {
    inet_ntop(AF_INET, address.s6_addr + 12, text, sizeof text);
  } else {
    inet_ntop(AF_INET6, &address, text, sizeof text);
  }
  return text;
}
