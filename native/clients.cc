#include "clients.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <string>

namespace {

/** Networks of IPv6 are keyed by their first 64 bits; none that begins with 16 zeroes is ever given to anybody. */
constexpr uint64_t kIpv4 = uint64_t{0xffff} << 32;
/** ::1, when it is a client like others. */
constexpr ClientKey kLoopback6 = 1;

ClientKey Ipv4Client(uint32_t address, bool bounds_loopback) {
  return address >> 24 == 127 && !bounds_loopback ? 0 : kIpv4 | address;
}

constexpr unsigned kMappedBits = 96;

in6_addr Mapped(const in_addr& address) {
  in6_addr mapped{};
  mapped.s6_addr[10] = mapped.s6_addr[11] = 0xff;
  memcpy(mapped.s6_addr + 12, &address, sizeof address);
  return mapped;
}

bool HasPrefix(const in6_addr& address, const in6_addr& prefix, unsigned bits) {
  const unsigned whole = bits / 8;
  if (memcmp(address.s6_addr, prefix.s6_addr, whole) != 0) return false;
  const unsigned rest = bits % 8;
  return rest == 0 || (address.s6_addr[whole] ^ prefix.s6_addr[whole]) >> (8 - rest) == 0;
}

}  // namespace

bool Networks::Add(const std::string& text) {
  const size_t slash = text.find('/');
  const std::string address = text.substr(0, slash);
  Network network{};
  in_addr v4{};
  const bool is_v4 = inet_pton(AF_INET, address.c_str(), &v4) == 1;
  if (is_v4) {
    network.address = Mapped(v4);
  } else if (inet_pton(AF_INET6, address.c_str(), &network.address) != 1) {
    return false;
  }
  const unsigned most = is_v4 ? 32 : 128;
  const unsigned long bits = slash == std::string::npos ? most : strtoul(text.c_str() + slash + 1, nullptr, 10);
  if (bits > most) return false;
  network.bits = static_cast<unsigned>(bits) + (is_v4 ? kMappedBits : 0);
  all_.push_back(network);
  return true;
}

bool Networks::Has(const sockaddr* address, socklen_t size) const {
  if (all_.empty() || size < sizeof address->sa_family) return false;
  in6_addr ip{};
  if (address->sa_family == AF_INET && size >= sizeof(sockaddr_in)) {
    ip = Mapped(reinterpret_cast<const sockaddr_in*>(address)->sin_addr);
  } else if (address->sa_family == AF_INET6 && size >= sizeof(sockaddr_in6)) {
    ip = reinterpret_cast<const sockaddr_in6*>(address)->sin6_addr;
  } else {
    return false;
  }
  return std::any_of(all_.begin(), all_.end(),
                     [&ip](const Network& each) { return HasPrefix(ip, each.address, each.bits); });
}

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
