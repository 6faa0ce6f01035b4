// The products inside attention, on one thread with operands in L1 and L2: tiles of up to BQ queries × BK keys.
// "Left" is a tile of rows packed as left factor; "across" one packed for products over the head size; "along" one packed for
// sums over its rows. Weights are what stands between: a row each query as left factor, or turned, as factor of sums over queries.
#pragma once
#include <algorithm>
#include <cstdint>

#include "bf16.h"
#include "bfloat16.h"
#include "tile.h"
#include "transpose.h"

namespace tilth {

constexpr int64_t BQ = 32, BK = 64;

// In f32.
struct SingleTiles {
  static int64_t leftFloats(int64_t size) { return BQ * size; }
  static int64_t acrossFloats(int64_t size) { return BK * size; }
  static int64_t alongFloats(int64_t size) { return BK * size; }
  static constexpr int64_t kWeightFloats = BQ * BK;

  static void packLeft(const float* rows, int64_t stride, int64_t count, int64_t size, float* to) {
    for (int64_t i = 0; i < count; i++) std::copy(rows + i * stride, rows + i * stride + size, to + i * size);
  }
  static void packAlong(const float* rows, int64_t stride, int64_t count, int64_t size, float* to) {
    packLeft(rows, stride, count, size, to);
  }
  // [size][BK]; keys past `count` are zero.
  static void packAcross(const float* rows, int64_t stride, int64_t count, int64_t size, float* to) {
    alignas(64) static const float zeros[8] = {};
    const int64_t whole = size / 8 * 8;
    for (int64_t j = 0; j < BK; j += 8)
      for (int64_t d = 0; d < whole; d += 8) {
        const float* eight[8];
        for (int l = 0; l < 8; l++) eight[l] = j + l < count ? rows + (j + l) * stride + d : zeros;
        transposeEight(eight, to + d * BK + j, BK);
      }
    for (int64_t d = whole; d < size; d++)
      for (int64_t j = 0; j < BK; j++) to[d * BK + j] = j < count ? rows[j * stride + d] : 0.0f;
  }
  // out [m, n of BK] = left · across.
  static void timesAcross(int64_t m, int64_t n, int64_t size, const float* left, const float* across, float* out) {
    tileProduct(m, n, size, left, size, 1, across, BK, out, BK, false);
  }
  static void storeRow(float* weights, int64_t i, int64_t j, Vector row) { store(weights + i * BK + j, row); }
  static void storePair(float* turned, int64_t i, int64_t j, Vector even, Vector odd) {
    store(turned + i * BK + j, even);
    store(turned + (i + 1) * BK + j, odd);
  }
  // out [m, size] += weights [m, n] · along [n, size].
  static void addWeighted(int64_t m, int64_t n, int64_t size, const float* weights, const float* along, float* out) {
    tileProduct(m, size, n, weights, BK, 1, along, size, out, size, true);
  }
  // out [n, size] += weights [m, n]ᵀ · along [m, size].
  static void addTurned(int64_t m, int64_t n, int64_t size, const float* turned, const float* along, float* out) {
    tileProduct(n, size, m, turned, 1, BK, along, size, out, size, true);
  }
};

#if defined(__AVX512BF16__)
// With operands in bfloat16, two steps of a sum in a cell (see bf16.h).
struct Bfloat16Tiles {
  static int64_t pairs(int64_t count) { return (count + 1) / 2; }
  static int64_t leftFloats(int64_t size) { return BQ * pairs(size); }
  static int64_t acrossFloats(int64_t size) { return pairs(size) * BK; }
  static int64_t alongFloats(int64_t size) { return pairs(BK) * size; }
  static constexpr int64_t kWeightFloats = BQ * BK / 2;

  template <typename Number>
  static void packLeft(const Number* rows, int64_t stride, int64_t count, int64_t size, float* to) {
    for (int64_t i = 0; i < count; i++) rowCells(rows + i * stride, size, to + i * pairs(size));
  }
  template <typename Number>
  static void packAlong(const Number* rows, int64_t stride, int64_t count, int64_t size, float* to) {
    packCells(rows, 1, stride, size, count, size, to);
  }
  template <typename Number>
  static void packAcross(const Number* rows, int64_t stride, int64_t count, int64_t size, float* to) {
    packCells(rows, stride, 1, count, size, BK, to);
  }
  static void timesAcross(int64_t m, int64_t n, int64_t size, const float* left, const float* across, float* out) {
    cellProduct(m, n, pairs(size), left, pairs(size), 1, across, BK, out, BK, false);
  }
  static void storeRow(float* weights, int64_t i, int64_t j, Vector row) {
    store(reinterpret_cast<Bfloat16*>(weights) + i * BK + j, row);
  }
  static void storePair(float* turned, int64_t i, int64_t j, Vector even, Vector odd) {
    const __m512i low = _mm512_cvtepu16_epi32(reinterpret_cast<__m256i>(rounded(even)));
    const __m512i high = _mm512_cvtepu16_epi32(reinterpret_cast<__m256i>(rounded(odd)));
    _mm512_storeu_si512(turned + i / 2 * BK + j, _mm512_or_si512(low, _mm512_slli_epi32(high, 16)));
  }
  static void addWeighted(int64_t m, int64_t n, int64_t size, const float* weights, const float* along, float* out) {
    cellProduct(m, size, pairs(n), weights, BK / 2, 1, along, size, out, size, true);
  }
  static void addTurned(int64_t m, int64_t n, int64_t size, const float* turned, const float* along, float* out) {
    cellProduct(n, size, pairs(m), turned, 1, BK, along, size, out, size, true);
  }
};
#endif

}  // namespace tilth
