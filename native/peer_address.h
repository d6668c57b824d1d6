// Who is at the other end of a connection.
#ifndef MOOVEDGE_PEER_ADDRESS_H_
#define MOOVEDGE_PEER_ADDRESS_H_

#include <netinet/in.h>

#include <string>

/** Address of the other end, that of IPv4 as in IPv6 (RFC 4291 section 2.5.5.2); unspecified when there is none. */
in6_addr PeerOf(int fd);

/** An address as text, that of IPv4 as it is written there. */
std::string AddressText(const in6_addr& address);

#endif  // MOOVEDGE_PEER_ADDRESS_H_
