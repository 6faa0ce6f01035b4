// bfloat16 in memory: the upper half of an f32, rounded to nearest even when stored. Kernels whose tensors may be f32 or
// bf16 are templates over the number's type; they compute in f32 vectors.
#pragma once
#include <cstdint>
#include <cstring>

#include "vector.h"

namespace tilth {

struct Bfloat16 {
  uint16_t bits;
};

typedef uint16_t HalfVector __attribute__((vector_size(W * 2)));
typedef uint32_t WordVector __attribute__((vector_size(W * 4)));

static inline float toFloat(float value) { return value; }
static inline float toFloat(Bfloat16 value) {
  const uint32_t bits = static_cast<uint32_t>(value.bits) << 16;
  float number;
  std::memcpy(&number, &bits, 4);
  return number;
}

static inline Vector load(const Bfloat16* from) {
  HalfVector half;
  std::memcpy(&half, from, sizeof half);
  return reinterpret_cast<Vector>(__builtin_convertvector(half, WordVector) << 16);
}

static inline HalfVector rounded(Vector value) {
#if defined(__AVX512BF16__)
  return reinterpret_cast<HalfVector>(_mm512_cvtneps_pbh(reinterpret_cast<__m512>(value)));
#else
  const WordVector bits = reinterpret_cast<WordVector>(value);
  const WordVector even = (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
  const WordVector quiet = (bits >> 16) | 0x40;  // a NaN must not be rounded into an infinity
  const WordVector number = reinterpret_cast<WordVector>(value == value);
  return __builtin_convertvector((even & number) | (quiet & ~number), HalfVector);
#endif
}

static inline void store(Bfloat16* to, Vector value) {
  const HalfVector half = rounded(value);
  std::memcpy(to, &half, sizeof half);
}

static inline Vector loadPart(const Bfloat16* from, int64_t count, float rest = 0.0f) {
  float part[W];
  for (int i = 0; i < W; i++) part[i] = i < count ? toFloat(from[i]) : rest;
  return load(part);
}

static inline void storePart(Bfloat16* to, Vector value, int64_t count) {
  const HalfVector half = rounded(value);
  std::memcpy(to, &half, static_cast<size_t>(count) * 2);
}

static inline void storeOne(float* to, float value) { *to = value; }
static inline void storeOne(Bfloat16* to, float value) { storePart(to, broadcast(value), 1); }

// Calls body(Number{}) with the type that a flag of the C ABI names.
template <typename Body>
static inline auto withNumber(int bf16, Body&& body) {
  return bf16 ? body(Bfloat16{}) : body(float{});
}

}  // namespace tilth
