// Refusals: what is sent, counted and noted of requests and connections that never reach the front end.
#ifndef MOOVEDGE_REFUSALS_H_
#define MOOVEDGE_REFUSALS_H_

#include <netinet/in.h>

#include <cstddef>
#include <cstdint>
#include <string>

/** Most refusals that are noted between two looks. */
constexpr size_t kMaxRefusals = 1024;

/** A refusal, for the access log. */
struct Refusal {
  int status;
  /** Milliseconds since 1970. */
  double time;
  /** IPv4 addresses as in IPv6. */
  in6_addr client;
};

/** Counts and notes a refusal with `status` of what came on a connection. */
void CountRefusal(int fd, int status);

/** The short answer with which a connection ends. */
std::string RefusalText(int status);

/** Counts, and sends that answer as well as the socket takes it; nothing can be sent on the connection afterwards. */
void SendRefusal(int fd, int status);

#endif  // MOOVEDGE_REFUSALS_H_
