// What is no kernel: memory, figures about the library, and the pool itself.
#include <cstdio>
#include <cstdlib>
#include <thread>

#include "../../../native/placement.h"
#include "../harness.h"
#if defined(__linux__)
#include <sched.h>
#include <sys/mman.h>
#endif

FUNCTION(uintptr_t, allocate, int, int64_t);
FUNCTION(double, launch_seconds, int, int64_t);
FUNCTION(void, release, uintptr_t);
FUNCTION(void, write, void*, const void*, int64_t);
FUNCTION(void, read, void*, const void*, int64_t);
FUNCTION(double, peak_flops, int, double, int);
FUNCTION(double, kernel_seconds, );
FUNCTION(void, fill, int, void*, int, float, int64_t);
FUNCTION(void, add, int, void*, int, const void*, int, const void*, int, int64_t);

namespace {

void expect(bool truth, const char* what) {
  if (truth) return;
  std::printf("not true: %s\n", what);
  std::exit(1);
}

}  // namespace

KERNEL(allocate) {
  for (int64_t bytes : {1, 4096, 3 << 20}) {
    const uintptr_t address = tilth_allocate(threads, bytes);
    expect(address % 64 == 0, "memory is aligned for every vector");
    reinterpret_cast<char*>(address)[bytes - 1] = 1;
    tilth_release(address);
  }
}

KERNEL(release) { tilth_release(tilth_allocate(threads, 100)); }

KERNEL(write) {
  Floats from(3), to(3);
  tilth_write(to, from, 12);
  expect(to[2] == from[2], "what was written is there");
}

KERNEL(read) {
  Floats from(3), to(3);
  tilth_read(to, from, 12);
  expect(to[2] == from[2], "what was read is there");
}

KERNEL(has_bf16) { expect(tilth_has_bf16() == 0 || tilth_has_bf16() == 1, "bf16 is there or not"); }

KERNEL(peak_flops) {
  overPrecisions([=](int bf16) { expect(tilth_peak_flops(threads, 0.01, bf16) > 0, "a peak is positive"); });
}

KERNEL(launch_seconds) { expect(tilth_launch_seconds(threads, 100) > 0, "starting a team takes time"); }

#if defined(__linux__)
// What several NUMA nodes would do: every page of new memory is there after its threads have touched it.
KERNEL(first_touch) {
  const size_t pages = 1001, bytes = pages * 4096;
  void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  tilth::touchPages(threads, memory, static_cast<int64_t>(bytes));
  std::vector<unsigned char> resident(pages);
  expect(mincore(memory, bytes, resident.data()) == 0, "the system says what is resident");
  for (unsigned char page : resident) expect(page & 1, "a page that was touched is resident");
  munmap(memory, bytes);
}

// A team that fills the mask is pinned, each thread to a processor of its own; others have the whole mask.
KERNEL(placement) {
  cpu_set_t before, after;
  sched_getaffinity(0, sizeof before, &before);
  std::thread([&] {
    const tilth::Placement placement;
    const int available = CPU_COUNT(&before);
    expect(placement.pins(available) == (available > 1), "a team that fills the mask is pinned");
    expect(!placement.pins(available + 1) && !placement.pins(1), "others are not");
    placement.place(available - 1, available);
    sched_getaffinity(0, sizeof after, &after);
    expect(available == 1 || (CPU_COUNT(&after) == 1), "a pinned thread has one processor");
    placement.place(0, available + 1);
    sched_getaffinity(0, sizeof after, &after);
    expect(CPU_EQUAL(&before, &after), "an unpinned one has those of the process");
  }).join();
}
#endif

KERNEL(kernel_seconds) {
  Floats out(40000);
  const double before = tilth_kernel_seconds();
  tilth_fill(threads, out, 0, 1.0f, 40000);
  expect(tilth_kernel_seconds() > before, "time inside kernels is counted");
}

// Thousands of tiny jobs on changing teams: each must be complete when the call returns.
KERNEL(pool_jobs) {
  Floats values(70000), ones(70000);
  tilth_fill(1, ones, 0, 1.0f, 70000);
  tilth_fill(1, values, 0, 0.0f, 70000);
  for (int job = 0; job < 1000; job++) tilth_add(1 + job % threads, values, 0, values, 0, ones, 0, job % 10 == 0 ? 70000 : 20000);
  for (int i = 0; i < 70000; i++) expect(values[i] == (i < 20000 ? 1000.0f : 100.0f), "every job is complete");
}

// Jobs of two callers at once run one after another.
KERNEL(pool_callers) {
  auto caller = [=] {
    for (int job = 0; job < 100; job++) {
      std::vector<float> mine(50000);
      tilth_fill(threads, mine.data(), 0, 2.0f, 50000);
      for (float value : mine) expect(value == 2.0f, "a caller's job is its own");
    }
  };
  std::thread other(caller);
  caller();
  other.join();
}
