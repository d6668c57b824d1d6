// What the front end calls in place of the functions that accept and close.
#ifndef MOOVEDGE_GATE_ACCEPT_H_
#define MOOVEDGE_GATE_ACCEPT_H_

#include <sys/socket.h>

int OnAccept(int listener, sockaddr* address, socklen_t* size, int flags);
int OnClose(int fd);

#endif  // MOOVEDGE_GATE_ACCEPT_H_
