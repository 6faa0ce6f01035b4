// A persistent pool of threads for data-parallel loops. The caller is worker 0; work is split statically, so that who
// computes what depends on the number of threads alone.
#pragma once
#include <cstdint>

namespace tilth {

struct Team {
  int threads;
  // All threads of the running job wait here for each other.
  void barrier() const;
};

typedef void (*Work)(void* context, int thread, const Team& team);

// Runs `work` on `threads` threads and returns when all are done. Calls from several threads run one after another.
void runOnTeam(int threads, Work work, void* context);

// As above for a callable `body(thread, team)`.
template <typename Body>
void parallel(int threads, Body&& body) {
  runOnTeam(
      threads, [](void* context, int thread, const Team& team) { (*static_cast<Body*>(context))(thread, team); }, &body);
}

// The part [begin, end) of `count` items that `thread` has, in whole multiples of `grain` but for the last.
struct Range {
  int64_t begin, end;
};
static inline Range partOf(int64_t count, int thread, int threads, int64_t grain = 1) {
  int64_t grains = (count + grain - 1) / grain;
  int64_t begin = grains * thread / threads * grain, end = grains * (thread + 1) / threads * grain;
  return {begin < count ? begin : count, end < count ? end : count};
}

// Splits `count` items over the team and calls `body(begin, end)` on each thread; small counts stay on one thread.
template <typename Body>
void parallelFor(int threads, int64_t count, int64_t grain, Body&& body) {
  if (threads <= 1 || count <= grain) {
    if (count > 0) body(static_cast<int64_t>(0), count);
    return;
  }
  parallel(threads, [&](int thread, const Team& team) {
    Range range = partOf(count, thread, team.threads, grain);
    if (range.begin < range.end) body(range.begin, range.end);
  });
}

// Scratch memory of a thread of the running job, kept between calls: at least `bytes`, aligned to 64. `slot` < 8 tells
// several scratches of one kernel apart. Returns nullptr when there is no memory.
void* scratch(int thread, int slot, int64_t bytes);

// Nanoseconds spent inside kernels, for the share of time that the host costs.
struct Timer {
  Timer();
  ~Timer();

 private:
  int64_t started_;
};

}  // namespace tilth

#define TILTH_EXPORT extern "C" __attribute__((visibility("default")))
