// Whose turn it is: what happens on connections is not handled in the order in which the system tells it, but for a few
// milliseconds of each turn of the loop, those first who have had least of the loop's time.
#ifndef MOOVEDGE_GATE_TURN_H_
#define MOOVEDGE_GATE_TURN_H_

#include <uv.h>

/** Has the turns begin, on the gate's loop; false when the loop refuses. */
bool InitTurns();

int OnPollInit(uv_loop_t* loop, uv_poll_t* poll, uv_os_sock_t fd);
int OnPollStart(uv_poll_t* poll, int events, uv_poll_cb callback);

/** Has what is held back of a connection be read when its turn comes. To be called at any moment. */
void ReadInTurn(int fd);

#endif  // MOOVEDGE_GATE_TURN_H_
