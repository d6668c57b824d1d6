// Tells a service manager how the program is, as sd_notify(3) does. Node has no datagrams over Unix sockets.
#ifndef MOOVEDGE_NOTIFY_H_
#define MOOVEDGE_NOTIFY_H_

#include <napi.h>

/** Adds `notifyManager`. */
void InitNotify(Napi::Env env, Napi::Object exports);

#endif  // MOOVEDGE_NOTIFY_H_
