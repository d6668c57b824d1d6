#include "clients.h"

#include <netinet/in.h>

#include <cstring>

namespace {

/** No network of IPv6 that is in use begins with these bits, so that they tell IPv4 addresses apart. */
constexpr uint64_t kIpv4 = uint64_t{0xffff} << 32;

ClientKey Ipv4Client(uint32_t address) { return address >> 24 == 127 ? 0 : kIpv4 | address; }

}  // namespace

ClientKey ClientOf(const sockaddr* address, socklen_t size) {
  if (address->sa_family == AF_INET && size >= sizeof(sockaddr_in)) {
    return Ipv4Client(ntohl(reinterpret_cast<const sockaddr_in*>(address)->sin_addr.s_addr));
  }
  if (address->sa_family != AF_INET6 || size < sizeof(sockaddr_in6)) return 0;
  const in6_addr& ip = reinterpret_cast<const sockaddr_in6*>(address)->sin6_addr;
  if (IN6_IS_ADDR_LOOPBACK(&ip)) return 0;
  if (IN6_IS_ADDR_V4MAPPED(&ip)) {
    uint32_t mapped;
    memcpy(&mapped, ip.s6_addr + 12, sizeof mapped);
    return Ipv4Client(ntohl(mapped));
  }
  uint64_t network;
  memcpy(&network, ip.s6_addr, sizeof network);
  return network;
}
