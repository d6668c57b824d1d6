// Listening sockets of this process, found by their port.
#ifndef MOOVEDGE_LISTENING_H_
#define MOOVEDGE_LISTENING_H_

#include <dirent.h>
#include <napi.h>

#include <cerrno>
#include <cstdint>
#include <cstdlib>

/** True when `fd` is a socket that listens for TCP connections on `port`. */
bool ListensOn(int fd, uint16_t port);

/** The first argument as a port; 0 after throwing when it is none. */
uint16_t PortOf(const Napi::CallbackInfo& info);

/**
 * Calls `use(fd)` for each listening socket of this process on `port`. Returns errno when the process can't list its
 * descriptors, else 0.
 */
template <typename Use>
int ForEachListener(uint16_t port, Use use) {
  DIR* folder = opendir("/proc/self/fd");
  if (folder == nullptr) return errno;
  while (const dirent* entry = readdir(folder)) {
    char* end = nullptr;
    const long fd = std::strtol(entry->d_name, &end, 10);
    if (end == entry->d_name || *end != '\0' || fd < 0 || fd > INT32_MAX) continue;
    if (ListensOn(static_cast<int>(fd), port)) use(static_cast<int>(fd));
  }
  closedir(folder);
  return 0;
}

#endif  // MOOVEDGE_LISTENING_H_
