// Thread pool: workers spin for a short while after a job, since the next kernel of a step follows within microseconds,
// then sleep on a condition variable. Each has a processor of its own where the team fills all that there are (placement.h).
#include "pool.h"

#include <dlfcn.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <mutex>
#include <thread>
#include <vector>

#include "placement.h"

#if defined(__x86_64__)
#include <immintrin.h>
#define TILTH_PAUSE() _mm_pause()
#elif defined(__aarch64__)
#define TILTH_PAUSE() asm volatile("yield")
#else
#define TILTH_PAUSE() ((void)0)
#endif

namespace tilth {
namespace {

constexpr int kMaximumThreads = 256;
constexpr auto kSpinTime = std::chrono::microseconds(200);  // longer than TypeScript takes between two kernels of a step

// A cache line each: what workers write must not slow down what others read.
struct Pool {
  std::mutex callers;  // one job at a time
  std::mutex sleep;
  std::condition_variable wake;
  alignas(64) std::atomic<int> pending{0};  // workers that have not finished the job
  alignas(64) std::atomic<int> arrived{0};  // at the barrier
  alignas(64) std::atomic<uint32_t> phase{0};
  // What a job is: written by the caller, then published by its number.
  alignas(64) std::atomic<uint64_t> job{0};
  Work work = nullptr;
  void* context = nullptr;
  int threads = 1;
  int workers = 0;  // started threads beside callers
  Placement placement;
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

// Spins until the condition holds, for at most kSpinTime; whether it does.
template <typename Condition>
bool spinUntil(Condition&& condition) {
  if (condition()) return true;
  const auto end = std::chrono::steady_clock::now() + kSpinTime;
  do {
    for (int pauses = 0; pauses < 32; pauses++) {
      if (condition()) return true;
      TILTH_PAUSE();
    }
  } while (std::chrono::steady_clock::now() < end);
  return condition();
}

// As above without end, but others may run on this processor after a while: the one waited for, if there are too few.
template <typename Condition>
void waitUntil(Condition&& condition) {
  if (spinUntil(condition)) return;
  while (!condition()) std::this_thread::yield();
}

// Keeps this library mapped until the process ends: whoever loaded it may unload it, but workers still run its code.
void stayLoaded() {
  Dl_info info;
  if (dladdr(reinterpret_cast<void*>(&stayLoaded), &info) && info.dli_fname)
    dlopen(info.dli_fname, RTLD_NOW | RTLD_NODELETE);
}

void workerLoop(int thread, uint64_t seen) {
  Pool& shared = pool();
  int placedFor = 0;
  const auto published = [&] { return shared.job.load(std::memory_order_acquire) != seen; };
  for (;;) {
    if (!spinUntil(published)) {
      std::unique_lock<std::mutex> lock(shared.sleep);
      shared.wake.wait(lock, published);
    }
    // Every worker acknowledges every job, so none can be published while one is still being looked at.
    seen = shared.job.load(std::memory_order_acquire);
    if (thread < shared.threads) {
      if (placedFor != shared.threads) shared.placement.place(thread, shared.threads);
      placedFor = shared.threads;
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
    waitUntil([&] { return shared.phase.load(std::memory_order_acquire) != phase; });
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
  waitUntil([&] { return shared.pending.load(std::memory_order_acquire) == 0; });
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

// Seconds from a call to the end of a job that does nothing, on average over `jobs` of them.
TILTH_EXPORT double tilth_launch_seconds(int threads, int64_t jobs) {
  const int64_t started = tilth::now();
  for (int64_t job = 0; job < jobs; job++) tilth::parallel(threads, [](int, const tilth::Team&) {});
  return static_cast<double>(tilth::now() - started) * 1e-9 / static_cast<double>(jobs);
}

TILTH_EXPORT double tilth_kernel_seconds() { return static_cast<double>(tilth::busyNanoseconds.load()) * 1e-9; }
