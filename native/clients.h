// Who holds how many connections: a client is an IPv4 address or an IPv6 network of 64 bits.
#ifndef MOOVEDGE_CLIENTS_H_
#define MOOVEDGE_CLIENTS_H_

#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "account.h"

/** A client; zero is whoever has no bounds: one without an address, and usually the machine itself. */
using ClientKey = uint64_t;

/**
 * The client that has `address`.
 * @param bounds_loopback addresses of loopback are clients like others
 */
ClientKey ClientOf(const sockaddr* address, socklen_t size, bool bounds_loopback);

/** Networks of addresses; those of IPv4 are kept as IPv6 has them (RFC 4291 section 2.5.5.2). */
class Networks {
 public:
  /** Adds an address, or a network such as `10.0.0.0/8`; false when it is none. */
  bool Add(const std::string& text);
  /** Whether the address of a socket lies in one of them. */
  bool Has(const sockaddr* address, socklen_t size) const;

 private:
  struct Network {
    in6_addr address;
    unsigned bits;
  };

  std::vector<Network> all_;
};

/** The connections of one port, by client. */
class Clients {
 public:
  /** Descriptors of the client's connections. */
  const std::vector<int>& Connections(ClientKey client) const {
    static const std::vector<int> kNone;
    const auto found = held_.find(client);
    return found == held_.end() ? kNone : found->second.connections;
  }

  /** Clients that hold connections. */
  size_t Count() const { return held_.size(); }

  /** Adds a connection; returns the account of its client, one of its own for whoever has no bounds. */
  std::shared_ptr<Account> Add(ClientKey client, int fd) {
    if (client == 0) return std::make_shared<Account>();
    auto& [connections, account] = held_[client];
    connections.push_back(fd);
    if (account == nullptr) account = std::make_shared<Account>();
    return account;
  }

  void Remove(ClientKey client, int fd) {
    const auto found = held_.find(client);
    if (found == held_.end()) return;
    auto& fds = found->second.connections;
    const auto place = std::find(fds.begin(), fds.end(), fd);
    if (place == fds.end()) return;
    *place = fds.back();
    fds.pop_back();
    if (fds.empty()) held_.erase(found);
  }

 private:
  struct Held {
    std::vector<int> connections;
    std::shared_ptr<Account> account;
  };

  std::unordered_map<ClientKey, Held> held_;
};

#endif  // MOOVEDGE_CLIENTS_H_
