// Frames of WebSocket on their way in: the front end does not look whether they are masked.
#ifndef MOOVEDGE_GATE_MESSAGES_H_
#define MOOVEDGE_GATE_MESSAGES_H_

#include <array>

#include "imports.h"

/** What the front end's module is to call in place of its readers of frames. */
std::array<Import, 2> MessageImports();

#endif  // MOOVEDGE_GATE_MESSAGES_H_
