// Reading on ports that speak TLS: what the front end has decrypted passes the gate, too, on its way to the parser.
#ifndef MOOVEDGE_GATE_SECURE_H_
#define MOOVEDGE_GATE_SECURE_H_

#include <array>

#include "gate_state.h"
#include "imports.h"

/** What the front end's module is to call in its place, or is called by it. */
std::array<Import, 3> SecureImports();

/** Hands on the first head of what is held back of a connection that speaks TLS; false when there is none. */
bool HandsOnHeld(int fd, Connection* connection);

/** As `SendRefusal`, on a connection that speaks TLS. */
void SendRefusalSecurely(int fd, Connection* connection, int status);

#endif  // MOOVEDGE_GATE_SECURE_H_
