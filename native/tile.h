// Small dense products inside attention: C [m, n] (+)= A [m, k] · B [k, n] on one thread, operands in L1/L2, any strides of A.
#pragma once
#include "vector.h"

namespace tilth {

// A: element (i, p) at a[i · aRow + p · aColumn] (broadcast); B: rows of n contiguous floats, stride bRow.
template <int ROWS, int VECTORS>
static inline void tileBlock(int64_t k, const float* a, int64_t aRow, int64_t aColumn, const float* b, int64_t bRow, float* c,
                             int64_t cRow, bool accumulate) {
  Vector sums[ROWS][VECTORS];
#pragma GCC unroll 8
  for (int i = 0; i < ROWS; i++)
#pragma GCC unroll 4
    for (int v = 0; v < VECTORS; v++) sums[i][v] = accumulate ? load(c + i * cRow + v * W) : Vector{};
  for (int64_t p = 0; p < k; p++) {
    Vector right[VECTORS];
#pragma GCC unroll 4
    for (int v = 0; v < VECTORS; v++) right[v] = load(b + p * bRow + v * W);
#pragma GCC unroll 8
    for (int i = 0; i < ROWS; i++) {
      Vector left = broadcast(a[i * aRow + p * aColumn]);
#pragma GCC unroll 4
      for (int v = 0; v < VECTORS; v++) sums[i][v] += left * right[v];
    }
  }
#pragma GCC unroll 8
  for (int i = 0; i < ROWS; i++)
#pragma GCC unroll 4
    for (int v = 0; v < VECTORS; v++) store(c + i * cRow + v * W, sums[i][v]);
}

template <int VECTORS>
static inline void tileColumns(int64_t m, int64_t k, const float* a, int64_t aRow, int64_t aColumn, const float* b,
                               int64_t bRow, float* c, int64_t cRow, bool accumulate) {
  constexpr int ROWS = 4;
  int64_t i = 0;
  for (; i + ROWS <= m; i += ROWS)
    tileBlock<ROWS, VECTORS>(k, a + i * aRow, aRow, aColumn, b, bRow, c + i * cRow, cRow, accumulate);
  for (; i < m; i++) tileBlock<1, VECTORS>(k, a + i * aRow, aRow, aColumn, b, bRow, c + i * cRow, cRow, accumulate);
}

static inline void tileProduct(int64_t m, int64_t n, int64_t k, const float* a, int64_t aRow, int64_t aColumn, const float* b,
                               int64_t bRow, float* c, int64_t cRow, bool accumulate) {
  int64_t j = 0;
  if (W == 16)
    for (; j + 4 * W <= n; j += 4 * W) tileColumns<4>(m, k, a, aRow, aColumn, b + j, bRow, c + j, cRow, accumulate);
  for (; j + 2 * W <= n; j += 2 * W) tileColumns<2>(m, k, a, aRow, aColumn, b + j, bRow, c + j, cRow, accumulate);
  for (; j + W <= n; j += W) tileColumns<1>(m, k, a, aRow, aColumn, b + j, bRow, c + j, cRow, accumulate);
  for (; j < n; j++)
    for (int64_t i = 0; i < m; i++) {
      float sum = accumulate ? c[i * cRow + j] : 0.0f;
      for (int64_t p = 0; p < k; p++) sum += a[i * aRow + p * aColumn] * b[p * bRow + j];
      c[i * cRow + j] = sum;
    }
}

}  // namespace tilth
