// What the front end calls in place of the functions that receive and send, and what is polled for.
#ifndef MOOVEDGE_GATE_READ_H_
#define MOOVEDGE_GATE_READ_H_

#include <sys/types.h>

#include <cstddef>

#include "gate_state.h"
#include "request_head.h"

/** Most bytes that are held back of one connection while it is answered; what comes then waits in the kernel. */
constexpr size_t kMaxHeld = 64 * 1024;

ssize_t OnRecv(int fd, void* data, size_t room, int flags);
ssize_t OnSend(int fd, const void* data, size_t size, int flags);

/** What a connection is polled for. One that is not read is still watched for a reset. */
int PolledEvents(const Connection& connection);

/**
 * The front end, or the gate, holds bytes of the last answer that the socket did not take. The front end's buffer has
 * no bound, so no further request is read before they are gone.
 */
inline bool Owes(const Connection& connection) {
  return (connection.events & UV_WRITABLE) != 0 || !connection.owed.empty();
}

/** Has a connection polled for what it is to be polled for by now. */
void Repoll(Connection* connection);

/**
 * Has the front end read of a connection that a send has failed on, and so learn that it is lost. The failure took the
 * socket's error with it, so that the system tells of no error any more, only that it can be written, again and again.
 */
void Lose(Connection* connection);

/**
 * Hands on a head that lies at `data`, in `buffer` itself or in what was held back, or refuses it.
 * @param more whether other bytes follow it
 * @returns bytes in `buffer` that the front end is to read; negative when it was refused
 */
ssize_t HandOn(int fd, Connection* connection, const RequestHead& head, const char* data, char* buffer, size_t room,
               bool more);

/** Refuses what came on a connection, and reads it no more. */
ssize_t Refuse(int fd, Connection* connection, int status);

/** Whether what is held back of a connection may be read now, for which it then is polled again. */
bool ReadsOn(int fd, Connection* connection);

#endif  // MOOVEDGE_GATE_READ_H_
