#include "imports.h"

#include <elf.h>
#include <link.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstring>

namespace {

constexpr size_t kMaxImports = 16;

#if defined(__x86_64__)
constexpr uint64_t kJumpSlot = R_X86_64_JUMP_SLOT;
constexpr uint64_t kGlobal = R_X86_64_GLOB_DAT;
#elif defined(__aarch64__)
constexpr uint64_t kJumpSlot = R_AARCH64_JUMP_SLOT;
constexpr uint64_t kGlobal = R_AARCH64_GLOB_DAT;
#else
constexpr uint64_t kJumpSlot = ~uint64_t{0};
constexpr uint64_t kGlobal = ~uint64_t{0};
#endif

/** What is looked for, and where it was found. */
struct Search {
  const char* part;
  const Import* imports;
  size_t count;
  /** Up to two places of each: calls, and pointers to the function. */
  uintptr_t slots[kMaxImports][2];
  /** The part that the loader has made read-only. */
  uintptr_t relro_from;
  uintptr_t relro_to;
  bool is_found;
};

/** Notes the slots of the wanted imports in one table of relocations. */
void SearchTable(const dl_phdr_info& info, const ElfW(Rela) * entries, size_t count, const ElfW(Sym) * symbols,
                 const char* names, Search* search) {
  for (size_t i = 0; i < count; ++i) {
    const uint64_t type = ELF64_R_TYPE(entries[i].r_info);
    if (type != kJumpSlot && type != kGlobal) continue;
    const char* name = names + symbols[ELF64_R_SYM(entries[i].r_info)].st_name;
    for (size_t k = 0; k < search->count; ++k) {
      if (strcmp(name, search->imports[k].name) == 0)
        search->slots[k][type == kGlobal ? 1 : 0] = info.dlpi_addr + entries[i].r_offset;
    }
  }
}

int SearchModule(dl_phdr_info* info, size_t, void* data) {
  auto* search = static_cast<Search*>(data);
  if (info->dlpi_name == nullptr) return 0;
  const char* slash = strrchr(info->dlpi_name, '/');
  if (strstr(slash == nullptr ? info->dlpi_name : slash + 1, search->part) == nullptr) return 0;
  const ElfW(Dyn)* dynamic = nullptr;
  for (size_t i = 0; i < info->dlpi_phnum; ++i) {
    const auto& header = info->dlpi_phdr[i];
    if (header.p_type == PT_DYNAMIC) dynamic = reinterpret_cast<const ElfW(Dyn)*>(info->dlpi_addr + header.p_vaddr);
    if (header.p_type == PT_GNU_RELRO) {
      // The loader protects whole pages: the one that the part ends within stays writable.
      const auto page_size = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
      const uintptr_t from = info->dlpi_addr + header.p_vaddr;
      search->relro_from = from / page_size * page_size;
      search->relro_to = (from + header.p_memsz) / page_size * page_size;
    }
  }
  if (dynamic == nullptr) return 0;
  // Some loaders turn these addresses into pointers, others leave them relative to the module.
  const auto at = [&](ElfW(Addr) address) { return address < info->dlpi_addr ? info->dlpi_addr + address : address; };
  const ElfW(Rela)* calls = nullptr;
  const ElfW(Rela)* others = nullptr;
  const ElfW(Sym)* symbols = nullptr;
  const char* names = nullptr;
  size_t call_bytes = 0;
  size_t other_bytes = 0;
  for (; dynamic->d_tag != DT_NULL; ++dynamic) {
    switch (dynamic->d_tag) {
      case DT_JMPREL:
        calls = reinterpret_cast<const ElfW(Rela)*>(at(dynamic->d_un.d_ptr));
        break;
      case DT_PLTRELSZ:
        call_bytes = dynamic->d_un.d_val;
        break;
      case DT_RELA:
        others = reinterpret_cast<const ElfW(Rela)*>(at(dynamic->d_un.d_ptr));
        break;
      case DT_RELASZ:
        other_bytes = dynamic->d_un.d_val;
        break;
      case DT_SYMTAB:
        symbols = reinterpret_cast<const ElfW(Sym)*>(at(dynamic->d_un.d_ptr));
        break;
      case DT_STRTAB:
        names = reinterpret_cast<const char*>(at(dynamic->d_un.d_ptr));
        break;
      default:
        break;
    }
  }
  if (symbols == nullptr || names == nullptr) return 0;
  if (calls != nullptr) SearchTable(*info, calls, call_bytes / sizeof *calls, symbols, names, search);
  if (others != nullptr) SearchTable(*info, others, other_bytes / sizeof *others, symbols, names, search);
  search->is_found = true;
  return 1;
}

bool Write(uintptr_t slot, void* value, const Search& search) {
  const auto page_size = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
  void* page = reinterpret_cast<void*>(slot / page_size * page_size);
  const bool is_read_only = slot >= search.relro_from && slot < search.relro_to;
  if (is_read_only && mprotect(page, page_size, PROT_READ | PROT_WRITE) != 0) return false;
  __atomic_store_n(reinterpret_cast<void**>(slot), value, __ATOMIC_RELEASE);
  if (is_read_only) mprotect(page, page_size, PROT_READ);
  return true;
}

}  // namespace

bool RedirectImports(const char* part, const Import* imports, size_t count) {
  if (count > kMaxImports) return false;
  Search search{};
  search.part = part;
  search.imports = imports;
  search.count = count;
  dl_iterate_phdr(SearchModule, &search);
  if (!search.is_found) return false;
  for (size_t k = 0; k < count; ++k) {
    if (search.slots[k][0] == 0 && search.slots[k][1] == 0) return false;
  }
  for (size_t k = 0; k < count; ++k) {
    const auto& [name, replacement, original] = imports[k];
    for (const uintptr_t slot : search.slots[k]) {
      if (slot == 0) continue;
      if (original != nullptr) *original = __atomic_load_n(reinterpret_cast<void**>(slot), __ATOMIC_ACQUIRE);
      if (replacement != nullptr && !Write(slot, replacement, search)) return false;
    }
  }
  return true;
}
