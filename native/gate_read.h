// What the front end calls in place of the functions that receive and send, and what is polled for.
#ifndef MOOVEDGE_GATE_READ_H_
#define MOOVEDGE_GATE_READ_H_

#include <sys/types.h>

#include <cstddef>

#include "gate_state.h"

ssize_t OnRecv(int fd, void* data, size_t room, int flags);
ssize_t OnSend(int fd, const void* data, size_t size, int flags);

/** What a connection is polled for. One that is not read is still watched for a reset. */
int PolledEvents(const Connection& connection);

/**
 * The front end holds bytes of the last answer that the socket did not take. Its buffer has no bound, so no further
 * request is read before they are gone.
 */
inline bool Owes(const Connection& connection) { return (connection.events & UV_WRITABLE) != 0; }

/** Whether what is held back of a connection may be read now, for which it then is polled again. */
bool ReadsOn(int fd, Connection* connection);

#endif  // MOOVEDGE_GATE_READ_H_
