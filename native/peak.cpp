// The hardware's peak: a loop of independent multiply-adds in registers on all threads, in FLOP/s, of f32 or of bfloat16
// products summed in f32. What MFU is a share of.
#include <algorithm>
#include <chrono>

#include "pool.h"
#include "vector.h"

#include "amx.h"

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

// The best FLOP/s of `burst` on all threads, of `flops` each, within `seconds`.
template <typename Burst>
double bestRate(int threads, double seconds, double flops, Burst&& burst) {
  double best = 0;
  auto elapsed = [](auto since) {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - since).count();
  };
  auto began = std::chrono::steady_clock::now();
  while (elapsed(began) < seconds) {
    auto started = std::chrono::steady_clock::now();
    parallel(threads, [&](int, const Team&) { burst(); });
    best = std::max(best, flops * threads / elapsed(started));
  }
  return best;
}

template <bool BF16>
double measure(int threads, double seconds) {
  constexpr int64_t kSteps = 20000;
  return bestRate(threads, seconds, (BF16 ? 4.0 : 2.0) * W * kChains * kSteps, [] {
    Vector chains[kChains];
    for (int c = 0; c < kChains; c++) chains[c] = broadcast(1.0f + c);
    Vector factor = broadcast(0.999999f), term = broadcast(1e-6f);
    for (int64_t step = 0; step < kSteps; step++) {
#pragma GCC unroll 16
      for (int c = 0; c < kChains; c++) multiplyAdd(chains[c], factor, term, BF16);
#if defined(__aarch64__)
      asm volatile("" : "+w"(factor));
#else
      asm volatile("" : "+x"(factor));
#endif
    }
    volatile float keep = 0;
    for (auto& chain : chains) keep = keep + sumOf(chain);
  });
}

#if TILTH_AMX
// Four products of tiles in turn, 16 · 16 · 32 multiply-adds each; the operands stay in their tiles.
double measureTiles(int threads, double seconds) {
#if defined(TILTH_EMULATE_AMX)
  constexpr int64_t kSteps = 20;
#else
  constexpr int64_t kSteps = 5000;
#endif
  return bestRate(threads, seconds, 4.0 * 2 * 16 * 16 * 32 * kSteps, [] {
    const TileScope scope;
    for (int64_t step = 0; step < kSteps; step++) {
      _tile_dpbf16ps(0, 4, 6);
      _tile_dpbf16ps(1, 4, 7);
      _tile_dpbf16ps(2, 5, 6);
      _tile_dpbf16ps(3, 5, 7);
    }
  });
}
#endif

}  // namespace

TILTH_EXPORT double tilth_peak_flops(int threads, double seconds, int precision) {
#if TILTH_AMX
  if (precision) return measureTiles(threads, seconds);
#elif defined(__AVX512BF16__)
  if (precision) return measure<true>(threads, seconds);
#endif
  (void)precision;
  return measure<false>(threads, seconds);
}
