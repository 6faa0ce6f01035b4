// The hardware's peak: a loop of independent multiply-adds in registers on all threads, in FLOP/s. What MFU is a share of.
#include <algorithm>
#include <chrono>

#include "pool.h"
#include "vector.h"

using namespace tilth;

TILTH_EXPORT double tilth_peak_flops(int threads, double seconds) {
  constexpr int kChains = 12;  // enough independent chains to hide the latency of two units
  constexpr int64_t kSteps = 20000;
  double best = 0;
  auto elapsed = [](auto since) {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - since).count();
  };
  auto began = std::chrono::steady_clock::now();
  while (elapsed(began) < seconds) {
    auto started = std::chrono::steady_clock::now();
    parallel(threads, [&](int, const Team&) {
      Vector chains[kChains];
      for (int c = 0; c < kChains; c++) chains[c] = broadcast(1.0f + c);
      Vector factor = broadcast(0.999999f), term = broadcast(1e-6f);
      for (int64_t step = 0; step < kSteps; step++) {
#pragma GCC unroll 16
        for (int c = 0; c < kChains; c++) chains[c] = chains[c] * factor + term;
        asm volatile("" : "+x"(factor));
      }
      volatile float keep = 0;
      for (auto& chain : chains) keep = keep + sumOf(chain);
    });
    best = std::max(best, 2.0 * W * kChains * kSteps * threads / elapsed(started));
  }
  return best;
}
