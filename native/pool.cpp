// Thread pool: workers spin for a short while after a job, since the next kernel of a step follows within microseconds,
// then sleep on a condition variable.
#include "pool.h"

#include <dlfcn.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <mutex>
#include <thread>
#include <vector>

#if defined(__x86_64__)
#include <immintrin.h>
#define TILTH_PAUSE() _mm_pause()
#else
#define TILTH_PAUSE() ((void)0)
#endif

namespace tilth {
namespace {

constexpr int kMaximumThreads = 256;
constexpr int kSpins = 20000;

struct Pool {
  std::mutex callers;  // one job at a time
  std::mutex sleep;
  std::condition_variable wake;
  std::atomic<uint64_t> job{0};  // number of the published job
  std::atomic<int> pending{0};   // workers that have not finished it
  std::atomic<int> arrived{0};   // at the barrier
  std::atomic<uint32_t> phase{0};
  Work work = nullptr;
  void* context = nullptr;
  int threads = 1;
  int workers = 0;  // started threads beside callers
};

// Never destroyed: workers may still look at it while the process ends.
Pool& pool() {
  static Pool* instance = new Pool;
  return *instance;
}

struct Scratch {
  void* memory[8] = {};
  int64_t bytes[8] = {};
};
Scratch* scratches() {
  static Scratch* instance = new Scratch[kMaximumThreads];
  return instance;
}

std::atomic<int64_t> busyNanoseconds{0};

template <typename Condition>
void spinUntil(Condition&& condition) {
  for (int spins = 0; !condition(); spins++) {
    if (spins < kSpins) {
      TILTH_PAUSE();
    } else {
      std::this_thread::yield();
    }
  }
}

// Keeps this library mapped until the process ends: whoever loaded it may unload it, but workers still run its code.
void stayLoaded() {
  Dl_info info;
  if (dladdr(reinterpret_cast<void*>(&stayLoaded), &info) && info.dli_fname)
    dlopen(info.dli_fname, RTLD_NOW | RTLD_NODELETE);
}

void workerLoop(int thread, uint64_t seen) {
  Pool& shared = pool();
  for (;;) {
    for (int spins = 0; spins < kSpins && shared.job.load(std::memory_order_acquire) == seen; spins++) TILTH_PAUSE();
    if (shared.job.load(std::memory_order_acquire) == seen) {
      std::unique_lock<std::mutex> lock(shared.sleep);
      shared.wake.wait(lock, [&] { return shared.job.load(std::memory_order_acquire) != seen; });
    }
    // Every worker acknowledges every job, so none can be published while one is still being looked at.
    seen = shared.job.load(std::memory_order_acquire);
    if (thread < shared.threads) {
      Team team{shared.threads};
      shared.work(shared.context, thread, team);
    }
    shared.pending.fetch_sub(1, std::memory_order_acq_rel);
  }
}

}  // namespace

void Team::barrier() const {
  if (threads <= 1) return;
  Pool& shared = pool();
  uint32_t phase = shared.phase.load(std::memory_order_acquire);
  if (shared.arrived.fetch_add(1, std::memory_order_acq_rel) == threads - 1) {
    shared.arrived.store(0, std::memory_order_relaxed);
    shared.phase.fetch_add(1, std::memory_order_release);
  } else {
    spinUntil([&] { return shared.phase.load(std::memory_order_acquire) != phase; });
  }
}

void runOnTeam(int threads, Work work, void* context) {
  if (threads > kMaximumThreads) threads = kMaximumThreads;
  Pool& shared = pool();
  std::lock_guard<std::mutex> one(shared.callers);
  if (threads <= 1) {
    work(context, 0, Team{1});
    return;
  }
  if (shared.workers == 0) stayLoaded();
  while (shared.workers < threads - 1) {
    int thread = ++shared.workers;
    std::thread(workerLoop, thread, shared.job.load()).detach();
  }
  shared.work = work;
  shared.context = context;
  shared.threads = threads;
  shared.pending.store(shared.workers, std::memory_order_release);
  {
    std::lock_guard<std::mutex> lock(shared.sleep);
    shared.job.fetch_add(1, std::memory_order_acq_rel);
  }
  shared.wake.notify_all();
  work(context, 0, Team{threads});
  spinUntil([&] { return shared.pending.load(std::memory_order_acquire) == 0; });
}

void* scratch(int thread, int slot, int64_t bytes) {
  Scratch& mine = scratches()[thread];
  if (mine.bytes[slot] < bytes) {
    std::free(mine.memory[slot]);
    int64_t rounded = (bytes + 4095) / 4096 * 4096;
    mine.memory[slot] = std::aligned_alloc(4096, static_cast<size_t>(rounded));
    mine.bytes[slot] = mine.memory[slot] ? rounded : 0;
  }
  return mine.memory[slot];
}

namespace {
int64_t now() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch())
      .count();
}
}  // namespace

Timer::Timer() : started_(now()) {}
Timer::~Timer() { busyNanoseconds.fetch_add(now() - started_, std::memory_order_relaxed); }

}  // namespace tilth

TILTH_EXPORT double tilth_kernel_seconds() { return static_cast<double>(tilth::busyNanoseconds.load()) * 1e-9; }
