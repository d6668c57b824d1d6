// Bytes that are sent from where they lie, though the front end takes only bytes in a row: it is given a stand-in for
// them, whose memory nobody can read, and the gate sends what it stands for.
#ifndef MOOVEDGE_SCATTER_H_
#define MOOVEDGE_SCATTER_H_

#include <napi.h>
#include <sys/types.h>
#include <sys/uio.h>

#include <cstddef>

/** Whether bytes that are to be sent are the stand-in. */
bool IsStandIn(const void* data);

/**
 * `send` of what the stand-in stands for, which is as long as it. Fails with EFAULT, as for the stand-in itself, when
 * that is not `size` bytes.
 */
ssize_t SendScattered(int fd, size_t size, int flags);

/** Has the stand-in stand for what lies in these places, until it is forgotten. `bytes` are those of all places. */
void StandFor(const iovec* places, size_t count, size_t bytes);
void ForgetStoodFor();

void InitScatter(Napi::Env env, Napi::Object exports);

#endif  // MOOVEDGE_SCATTER_H_
