#include "ready_records.h"

#include <netinet/in.h>

#include <cstdlib>
#include <cstring>
#include <string>

#include "peer_address.h"

namespace {

size_t SizeOf(const Connection& connection, std::string_view head) {
  const size_t size = sizeof(ReadyRecord) + connection.address.size() + head.size();
  return (size + sizeof(double) - 1) / sizeof(double) * sizeof(double);
}

/** Address of the other end, as text; '' when there is none. */
std::string AddressOf(int fd) {
  const in6_addr peer = PeerOf(fd);
  return IN6_IS_ADDR_UNSPECIFIED(&peer) ? "" : AddressText(peer);
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
