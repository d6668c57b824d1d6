#include "ready_records.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cstdlib>
#include <cstring>
#include <string>

namespace {

size_t SizeOf(const Connection& connection, std::string_view head) {
  const size_t size = sizeof(ReadyRecord) + connection.address.size() + head.size();
  return (size + sizeof(double) - 1) / sizeof(double) * sizeof(double);
}

/** Address of the other end, as text; '' when there is none. */
std::string AddressOf(int fd) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  if (getpeername(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) return "";
  char text[INET6_ADDRSTRLEN] = "";
  if (address.ss_family == AF_INET) {
    inet_ntop(AF_INET, &reinterpret_cast<sockaddr_in*>(&address)->sin_addr, text, sizeof text);
  } else if (address.ss_family == AF_INET6) {
    const in6_addr& six = reinterpret_cast<sockaddr_in6*>(&address)->sin6_addr;
    if (IN6_IS_ADDR_V4MAPPED(&six)) {
      inet_ntop(AF_INET, six.s6_addr + 12, text, sizeof text);
    } else {
      inet_ntop(AF_INET6, &six, text, sizeof text);
    }
  }
  return text;
}

}  // namespace

bool HasRecordRoom(int fd, Connection* connection, std::string_view head) {
  if (connection->address.empty()) connection->address = AddressOf(fd);
  // A client that has left already has no address any more, and no use for an answer.
  return !connection->address.empty() && Records() != nullptr &&
         gate->words[kRecorded] + SizeOf(*connection, head) <= kRecordRoom;
}

void AddRecord(ReadyRecord record, const Connection& connection, std::string_view head) {
  record.size = static_cast<double>(SizeOf(connection, head));
  record.address = static_cast<double>(connection.address.size());
  record.head = static_cast<double>(head.size());
  uint8_t* at = Records() + gate->words[kRecorded];
  memcpy(at, &record, sizeof record);
  at += sizeof record;
  memcpy(at, connection.address.data(), connection.address.size());
  memcpy(at + connection.address.size(), head.data(), head.size());
  gate->words[kRecorded] += static_cast<uint32_t>(record.size);
}

uint8_t* Records() {
  // Pages of it that are never used take no memory.
  static auto* const room = static_cast<uint8_t*>(calloc(kRecordRoom, 1));
  return room;
}
