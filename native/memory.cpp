// Memory for tensors: aligned for every vector width; large blocks on huge pages, where the system has them, and near the
// threads that will use them.
#include <cstdint>
#include <cstdlib>
#include <cstring>
#if defined(__linux__)
#include <sys/mman.h>
#endif

#include "placement.h"
#include "pool.h"

// Address of `bytes` bytes, or 0. `threads` are those of the kernels that will use it.
TILTH_EXPORT uintptr_t tilth_allocate(int threads, int64_t bytes) {
  const int64_t huge = 2 << 20, alignment = bytes >= huge ? huge : 4096;
  int64_t rounded = (bytes + alignment - 1) / alignment * alignment;
  void* memory = std::aligned_alloc(static_cast<size_t>(alignment), static_cast<size_t>(rounded));
#if defined(__linux__)
  if (memory && bytes >= huge) madvise(memory, static_cast<size_t>(rounded), MADV_HUGEPAGE);
#endif
  if (memory && bytes >= huge) tilth::firstTouch(threads, memory, rounded);
  return reinterpret_cast<uintptr_t>(memory);
}

TILTH_EXPORT void tilth_release(uintptr_t address) { std::free(reinterpret_cast<void*>(address)); }

// Between host arrays and tensors.
TILTH_EXPORT void tilth_write(void* to, const void* from, int64_t bytes) { std::memcpy(to, from, static_cast<size_t>(bytes)); }
TILTH_EXPORT void tilth_read(void* to, const void* from, int64_t bytes) { std::memcpy(to, from, static_cast<size_t>(bytes)); }
