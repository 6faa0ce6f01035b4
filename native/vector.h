// One vector type for all instruction-set levels: W floats, by the compiler's vector extensions.
// The level is chosen by compiler flags; W follows from it. All loads and stores are unaligned.
#pragma once
#include <cmath>
#include <cstdint>
#include <cstring>

#include "shuffle.h"

#if defined(__AVX2__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

namespace tilth {

#if defined(__AVX512F__)
constexpr int W = 16;
#elif defined(__AVX2__)
constexpr int W = 8;
#else
constexpr int W = 4;
#endif

typedef float Vector __attribute__((vector_size(W * 4)));
typedef int32_t IntegerVector __attribute__((vector_size(W * 4)));

static inline Vector load(const float* from) {
  Vector value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

static inline void store(float* to, Vector value) { std::memcpy(to, &value, sizeof value); }

// The first `count` < W floats; the rest are `rest`.
static inline Vector loadPart(const float* from, int64_t count, float rest = 0.0f) {
  float part[W];
  for (int i = 0; i < W; i++) part[i] = i < count ? from[i] : rest;
  return load(part);
}

static inline void storePart(float* to, Vector value, int64_t count) {
  std::memcpy(to, &value, static_cast<size_t>(count) * 4);
}

static inline Vector broadcast(float value) { return value - Vector{}; }

static inline Vector select(IntegerVector mask, Vector yes, Vector no) {
  return reinterpret_cast<Vector>((reinterpret_cast<IntegerVector>(yes) & mask) |
                                  (reinterpret_cast<IntegerVector>(no) & ~mask));
}

static inline Vector maximum(Vector a, Vector b) { return select(a > b, a, b); }

static inline Vector squareRoot(Vector value) {
#if defined(__AVX512F__)
  return reinterpret_cast<Vector>(_mm512_sqrt_ps(reinterpret_cast<__m512>(value)));
#elif defined(__AVX2__)
  return reinterpret_cast<Vector>(_mm256_sqrt_ps(reinterpret_cast<__m256>(value)));
#elif defined(__aarch64__)
  return reinterpret_cast<Vector>(vsqrtq_f32(reinterpret_cast<float32x4_t>(value)));
#else
  for (int i = 0; i < W; i++) value[i] = std::sqrt(value[i]);
  return value;
#endif
}

// The lanes `half` further on, for reductions in a fixed tree order.
template <int HALF>
static inline Vector upperLanes(Vector value) {
#if defined(__AVX512F__)
  if constexpr (HALF == 8) return TILTH_SHUFFLE(value, value, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7);
  if constexpr (HALF == 4) return TILTH_SHUFFLE(value, value, 4, 5, 6, 7, 0, 1, 2, 3, 8, 9, 10, 11, 12, 13, 14, 15);
  if constexpr (HALF == 2) return TILTH_SHUFFLE(value, value, 2, 3, 0, 1, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  return TILTH_SHUFFLE(value, value, 1, 0, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
#elif defined(__AVX2__)
  if constexpr (HALF == 4) return TILTH_SHUFFLE(value, value, 4, 5, 6, 7, 0, 1, 2, 3);
  if constexpr (HALF == 2) return TILTH_SHUFFLE(value, value, 2, 3, 0, 1, 4, 5, 6, 7);
  return TILTH_SHUFFLE(value, value, 1, 0, 2, 3, 4, 5, 6, 7);
#else
  if constexpr (HALF == 2) return TILTH_SHUFFLE(value, value, 2, 3, 0, 1);
  return TILTH_SHUFFLE(value, value, 1, 0, 2, 3);
#endif
}

static inline float sumOf(Vector value) {
  if constexpr (W == 16) value += upperLanes<8>(value);
  if constexpr (W >= 8) value += upperLanes<4>(value);
  value += upperLanes<2>(value);
  value += upperLanes<1>(value);
  return value[0];
}

static inline float maximumOf(Vector value) {
  if constexpr (W == 16) value = maximum(value, upperLanes<8>(value));
  if constexpr (W >= 8) value = maximum(value, upperLanes<4>(value));
  value = maximum(value, upperLanes<2>(value));
  return maximum(value, upperLanes<1>(value))[0];
}

// e^x, relative error below 2e-7; exactly 0 below −87.3 (also for −∞). Arguments above 88.7 are clamped; NaN stays NaN.
static inline Vector exponential(Vector x) {
#if defined(__AVX512F__)
  // As below, with the processor's own rounding and scaling.
  const __m512 top = _mm512_min_ps(_mm512_set1_ps(88.7f), reinterpret_cast<__m512>(x));  // a NaN comes second and stays
  const __mmask16 counts = _mm512_cmp_ps_mask(top, _mm512_set1_ps(-87.3f), _CMP_NLT_UQ);
  const __m512 rounded = _mm512_roundscale_ps(_mm512_mul_ps(top, _mm512_set1_ps(1.44269504088896341f)), _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  const Vector power = reinterpret_cast<Vector>(rounded);
  Vector rest = reinterpret_cast<Vector>(top) - power * 0.693359375f;
  rest = rest + power * 2.12194440e-4f;
  Vector sum = broadcast(1.9875691500e-4f);
  sum = sum * rest + 1.3981999507e-3f;
  sum = sum * rest + 8.3334519073e-3f;
  sum = sum * rest + 4.1665795894e-2f;
  sum = sum * rest + 1.6666665459e-1f;
  sum = sum * rest + 5.0000001201e-1f;
  sum = sum * rest * rest + rest + 1.0f;
  return reinterpret_cast<Vector>(_mm512_maskz_scalef_ps(counts, reinterpret_cast<__m512>(sum), rounded));
#else
  const Vector low = broadcast(-87.3f), high = broadcast(88.7f);
  Vector clamped = select(x < low, low, select(x > high, high, x));
  // n = round(x / ln 2) by the magic-number trick; r = x − n · ln 2 in two steps.
  const Vector magic = broadcast(12582912.0f);
  Vector shifted = clamped * 1.44269504088896341f + magic;
  Vector n = shifted - magic;
  Vector r = clamped - n * 0.693359375f;
  r = r + n * 2.12194440e-4f;
  Vector p = broadcast(1.9875691500e-4f);
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  Vector value = p * r * r + r + 1.0f;
  IntegerVector exponent = (reinterpret_cast<IntegerVector>(shifted) - 0x4B400000) << 23;
  Vector scaled = reinterpret_cast<Vector>(reinterpret_cast<IntegerVector>(value) + exponent);
  Vector bounded = select(x < low, Vector{}, scaled);
  return select(x == x, bounded, x);
#endif
}

// 1 / x for finite x > 0, relative error below 2e-7.
static inline Vector reciprocal(Vector x) {
#if defined(__AVX512F__)
  const Vector near = reinterpret_cast<Vector>(_mm512_rcp14_ps(reinterpret_cast<__m512>(x)));
  return near * (2.0f - x * near);
#else
  return 1.0f / x;
#endif
}

}  // namespace tilth
