#include "clients.h"

#include <netinet/in.h>

#include <cstring>

namespace {

/** Networks of IPv6 are keyed by their first 64 bits; none that begins with 16 zeroes is ever given to anybody. */
constexpr uint64_t kIpv4 = uint64_t{0xffff} << 32;
/** ::1, when it is a client like others. */
constexpr ClientKey kLoopback6 = 1;

ClientKey Ipv4Client(uint32_t address, bool bounds_loopback) {
  return address >> 24 == 127 && !bounds_loopback ? 0 : kIpv4 | address;
}

}  // namespace

ClientKey ClientOf(const sockaddr* address, socklen_t size, bool bounds_loopback) {
  if (size < sizeof address->sa_family) return 0;
  if (address->sa_family == AF_INET && size >= sizeof(sockaddr_in)) {
    return Ipv4Client(ntohl(reinterpret_cast<const sockaddr_in*>(address)->sin_addr.s_addr), bounds_loopback);
  }
  if (address->sa_family != AF_INET6 || size < sizeof(sockaddr_in6)) return 0;
  const in6_addr& ip = reinterpret_cast<const sockaddr_in6*>(address)->sin6_addr;
  if (IN6_IS_ADDR_LOOPBACK(&ip)) return bounds_loopback ? kLoopback6 : 0;
  if (IN6_IS_ADDR_V4MAPPED(&ip)) {
    uint32_t mapped;
    memcpy(&mapped, ip.s6_addr + 12, sizeof mapped);
    return Ipv4Client(ntohl(mapped), bounds_loopback);
  }
  uint64_t network = 0;
  for (int i = 0; i < 8; ++i) network = network << 8 | ip.s6_addr[i];
  return network;
}
