// What is no kernel: memory, figures about the library, and the pool itself.
#include <cstdio>
#include <cstdlib>
#include <thread>

#include "../harness.h"

FUNCTION(uintptr_t, allocate, int64_t);
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
    const uintptr_t address = tilth_allocate(bytes);
    expect(address % 64 == 0, "memory is aligned for every vector");
    reinterpret_cast<char*>(address)[bytes - 1] = 1;
    tilth_release(address);
  }
}

KERNEL(release) { tilth_release(tilth_allocate(100)); }

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
