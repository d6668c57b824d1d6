// What the front end calls in place of the functions that poll, receive and send.
#ifndef MOOVEDGE_GATE_READ_H_
#define MOOVEDGE_GATE_READ_H_

#include <sys/types.h>
#include <uv.h>

#include <cstddef>

int OnPollInit(uv_loop_t* loop, uv_poll_t* poll, uv_os_sock_t fd);
int OnPollStart(uv_poll_t* poll, int events, uv_poll_cb callback);
ssize_t OnRecv(int fd, void* data, size_t room, int flags);
ssize_t OnSend(int fd, const void* data, size_t size, int flags);

/**
 * Hands on what is held back of a connection, unless an answer is still under way or the kernel has not taken all of
 * it.
 */
void ReadOn(int fd);

#endif  // MOOVEDGE_GATE_READ_H_
