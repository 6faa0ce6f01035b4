// Memory for tensors: aligned for every vector width; large blocks on huge pages, where the system has them.
#include <cstdint>
#include <cstdlib>
#include <cstring>
#if defined(__linux__)
#include <sys/mman.h>
#endif

#include "pool.h"

// Address of `bytes` bytes, or 0.
TILTH_EXPORT uintptr_t tilth_allocate(int64_t bytes) {
  const int64_t huge = 2 << 20, alignment = bytes >= huge ? huge : 4096;
  int64_t rounded = (bytes + alignment - 1) / alignment * alignment;
  void* memory = std::aligned_alloc(static_cast<size_t>(alignment), static_cast<size_t>(rounded));
#if defined(__linux__)
  if (memory && bytes >= huge) madvise(memory, static_cast<size_t>(rounded), MADV_HUGEPAGE);
#endif
  return reinterpret_cast<uintptr_t>(memory);
}

TILTH_EXPORT void tilth_release(uintptr_t address) { std::free(reinterpret_cast<void*>(address)); }

// Between host arrays and tensors.
TILTH_EXPORT void tilth_write(void* to, const void* from, int64_t bytes) { std::memcpy(to, from, static_cast<size_t>(bytes)); }
TILTH_EXPORT void tilth_read(void* to, const void* from, int64_t bytes) { std::memcpy(to, from, static_cast<size_t>(bytes)); }
