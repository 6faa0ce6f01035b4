// The hardware's peak: a loop of independent multiply-adds in registers on all threads, in FLOP/s, of f32 or of bfloat16
// products summed in f32. What MFU is a share of.
#include <algorithm>
#include <chrono>

#include "pool.h"
#include "vector.h"

#if defined(__AVX512BF16__)
#include <immintrin.h>
#endif

using namespace tilth;

// Whether this library multiplies in bfloat16 (see gemm.h).
TILTH_EXPORT int64_t tilth_has_bf16() {
#if defined(__AVX512BF16__)
  return 1;
#else
  return 0;
#endif
}

namespace {

constexpr int kChains = 12;  // enough independent chains to hide the latency of two units

inline void multiplyAdd(Vector& chain, Vector factor, Vector term, bool bf16) {
#if defined(__AVX512BF16__)
  if (bf16) {
    chain = reinterpret_cast<Vector>(_mm512_dpbf16_ps(reinterpret_cast<__m512>(chain), reinterpret_cast<__m512bh>(factor),
                                                      reinterpret_cast<__m512bh>(term)));
    return;
  }
#endif
  (void)bf16;
  chain = chain * factor + term;
}

template <bool BF16>
double measure(int threads, double seconds) {
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
        for (int c = 0; c < kChains; c++) multiplyAdd(chains[c], factor, term, BF16);
        asm volatile("" : "+x"(factor));
      }
      volatile float keep = 0;
      for (auto& chain : chains) keep = keep + sumOf(chain);
    });
    best = std::max(best, (BF16 ? 4.0 : 2.0) * W * kChains * kSteps * threads / elapsed(started));
  }
  return best;
}

}  // namespace

TILTH_EXPORT double tilth_peak_flops(int threads, double seconds, int precision) {
#if defined(__AVX512BF16__)
  if (precision) return measure<true>(threads, seconds);
#endif
  (void)precision;
  return measure<false>(threads, seconds);
}
