// Matrix product for kernels that need it inside: C [m, n] (+)= op(A) · op(B), strides in elements.
#pragma once
#include <cstdint>

#include "pool.h"

namespace tilth {

// What operands are rounded to before they multiply; sums are f32 always. bf16 exists at levels with AVX512-BF16 only,
// elsewhere it computes as f32 (the host asks `tilth_has_bf16` first).
enum class Precision { f32, bf16 };
inline Precision precisionOf(int bf16) { return bf16 ? Precision::bf16 : Precision::f32; }

struct Matrix {
  const float* data;
  int64_t rowStride, columnStride;  // one of the two is 1
};

// Called by every thread of a team; the result is complete on all threads after the next barrier. Element (i, j) of C is
// computed by one thread, in an order of k that depends on k alone: the same bits for any number of threads.
void gemmOnTeam(int64_t m, int64_t n, int64_t k, Matrix a, Matrix b, float* c, int64_t cStride, bool accumulate,
                Precision precision, int thread, const Team& team);

}  // namespace tilth
