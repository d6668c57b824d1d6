// Who holds how many connections: a client is an IPv4 address or an IPv6 network of 64 bits.
#ifndef MOOVEDGE_CLIENTS_H_
#define MOOVEDGE_CLIENTS_H_

#include <sys/socket.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
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
