// Functions that a loaded module imports from others.
#ifndef MOOVEDGE_IMPORTS_H_
#define MOOVEDGE_IMPORTS_H_

#include <cstddef>

/** An imported function. */
struct Import {
  const char* name;
  /** The function that is to be called in its place; null when it stays. */
  void* replacement;
  /** Set to the function itself, unless null. */
  void** original = nullptr;
};

/**
 * Has the loaded module whose file name holds `part` call `imports` instead of what it imports under these names.
 * Nobody else is affected: the replacements, and all other modules, go on with the functions themselves. Does nothing
 * unless all of them are there.
 */
bool RedirectImports(const char* part, const Import* imports, size_t count);

#endif  // MOOVEDGE_IMPORTS_H_
