// Matrix product for kernels that need it inside: C [m, n] (+)= op(A) · op(B), strides in elements.
#pragma once
#include <cstdint>

#include "amx.h"
#include "bfloat16.h"
#include "pool.h"

namespace tilth {

// What operands are rounded to before they multiply; sums are f32 always. bf16 exists at levels with AVX512-BF16 only,
// elsewhere it computes as f32 (the host asks `tilth_has_bf16` first).
enum class Precision { f32, bf16 };
inline Precision precisionOf(int bf16) { return bf16 ? Precision::bf16 : Precision::f32; }

// An operand in f32, or in bf16 where products are in bf16 too. One of the strides is 1.
struct Matrix {
  const void* data;
  int64_t rowStride, columnStride;
  bool bf16;

  Matrix(const float* values, int64_t rows, int64_t columns) : data(values), rowStride(rows), columnStride(columns), bf16(false) {}
  Matrix(const Bfloat16* values, int64_t rows, int64_t columns)
      : data(values), rowStride(rows), columnStride(columns), bf16(true) {}
  Matrix(const void* values, int64_t rows, int64_t columns, bool isBfloat16)
      : data(values), rowStride(rows), columnStride(columns), bf16(isBfloat16) {}
  const void* at(int64_t row, int64_t column) const {
    return static_cast<const char*>(data) + (row * rowStride + column * columnStride) * (bf16 ? 2 : 4);
  }
};

// Where a product goes: rows `stride` apart, overwritten or added to, plus a bias a column if there is one, rounded once at the
// end if they are bf16.
struct Result {
  void* data;
  int64_t stride;
  bool accumulate;
  bool bf16;
  const float* bias = nullptr;

  Result(float* values, int64_t rows, bool add) : data(values), stride(rows), accumulate(add), bf16(false) {}
  Result(void* values, int64_t rows, bool add, bool isBfloat16, const float* columnBias = nullptr)
      : data(values), stride(rows), accumulate(add), bf16(isBfloat16), bias(columnBias) {}
  void* at(int64_t row, int64_t column) const {
    return static_cast<char*>(data) + (row * stride + column) * (bf16 ? 2 : 4);
  }
};

// Called by every thread of a team; the result is complete on all threads after the next barrier. Element (i, j) of C is
// computed by one thread, in an order of k that depends on k alone: the same bits for any number of threads.
void gemmOnTeam(int64_t m, int64_t n, int64_t k, Matrix a, Matrix b, Result c, Precision precision, int thread,
                const Team& team);
inline void gemmOnTeam(int64_t m, int64_t n, int64_t k, Matrix a, Matrix b, float* c, int64_t cStride, bool accumulate,
                       Precision precision, int thread, const Team& team) {
  gemmOnTeam(m, n, k, a, b, Result(c, cStride, accumulate), precision, thread, team);
}

// The product of few rows (at most kFewRows) with bf16 weights whose rows are contiguous in k: multiplied in f32, every weight read
// once.
constexpr int64_t kFewRows = 16;
void fewRowsOnTeam(int64_t m, int64_t n, int64_t k, const Matrix& a, const Matrix& b, const Result& c, int thread,
                   const Team& team);

// The product of f32 rows with such weights where all multiply in f32.
void storedProductOnTeam(int64_t m, int64_t n, int64_t k, const Matrix& a, const Matrix& b, const Result& c, int thread,
                         const Team& team);

#if TILTH_AMX
// The product in bf16 on AMX's tiles (amx.cpp), as above for m, n, k ≥ 1.
void amxGemmOnTeam(int64_t m, int64_t n, int64_t k, const Matrix& a, const Matrix& b, const Result& c, int thread, const Team& team);
#endif

}  // namespace tilth
