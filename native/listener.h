#ifndef MOOVEDGE_LISTENER_H_
#define MOOVEDGE_LISTENER_H_

#include <napi.h>

/** Adds `refuseConnections`, `refuseByHops`, `steerConnections` and `waitingConnections` to the addon. */
void InitListener(Napi::Env env, Napi::Object exports);

#endif  // MOOVEDGE_LISTENER_H_
