#include "refusals.h"

#include <sys/socket.h>

#include <ctime>
#include <string>

#include "gate_state.h"
#include "peer_address.h"

namespace {

struct Kind {
  int status;
  Word word;
  const char* reason;
  /** Further fields. */
  const char* fields;
};

constexpr Kind kKinds[] = {
    {400, kBadRequest, "Bad Request", ""},
    {414, kTargetTooLong, "URI Too Long", ""},
    {429, kTooManyRequests, "Too Many Requests", "Retry-After: 1\r\n"},
    {431, kHeadTooLarge, "Request Header Fields Too Large", ""},
    {503, kUnavailable, "Service Unavailable", "Retry-After: 5\r\n"},
    {505, kWrongVersion, "HTTP Version Not Supported", ""},
};

const Kind& KindOf(int status) {
  for (const Kind& kind : kKinds) {
    if (kind.status == status) return kind;
  }
  return kKinds[0];
}

}  // namespace

void CountRefusal(int fd, int status) {
  ++gate->words[KindOf(status).word];
  if (!gate->notes_refusals || gate->refusals.size() >= kMaxRefusals) return;
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  const double time = static_cast<double>(now.tv_sec) * 1e3 + static_cast<double>(now.tv_nsec / 1'000'000);
  gate->refusals.push_back({status, time, PeerOf(fd)});
}

std::string RefusalText(int status) {
  const Kind& kind = KindOf(status);
  const std::string body = std::string(kind.reason) + "\n";
  std::string text = "HTTP/1.1 ";
  text.append(std::to_string(kind.status)).append(" ").append(kind.reason).append("\r\n");
  text.append(
      "Content-Type: text/plain; charset=utf-8\r\nX-Content-Type-Options: nosniff\r\nCache-Control: "
      "no-store\r\nConnection: close\r\n");
  text.append(kind.fields).append("Content-Length: ").append(std::to_string(body.size())).append("\r\n\r\n");
  text.append(body);
  return text;
}

void SendRefusal(int fd, int status) {
  CountRefusal(fd, status);
  const std::string text = RefusalText(status);
  [[maybe_unused]] const ssize_t sent = send(fd, text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  shutdown(fd, SHUT_WR);
}
