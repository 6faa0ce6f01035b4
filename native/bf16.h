// Packing into bfloat16 for AVX512-BF16: a cell of four bytes holds two consecutive steps of k of one row or column, rounded
// to nearest even, the earlier one in its low half.
#pragma once
#if defined(__AVX512BF16__)
#include <immintrin.h>

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "amx.h"
#include "bfloat16.h"
#include "transpose.h"

namespace tilth {

static inline __mmask16 firstLanes(int64_t count) {
  return static_cast<__mmask16>(count >= 16 ? 0xFFFF : count <= 0 ? 0 : (1 << count) - 1);
}

static inline void storeCell(float* to, float even, float odd) {
  __m128bh both = _mm_cvtne2ps_pbh(_mm_set_ss(odd), _mm_set_ss(even));
  uint16_t words[8];
  std::memcpy(words, &both, 16);
  uint32_t bits = words[0] | static_cast<uint32_t>(words[4]) << 16;
  std::memcpy(to, &bits, 4);
}

// Lane l of step p is data[l · laneStride + p · stepStride], one of the strides 1. Groups of two steps become rows of `width`
// cells (at least 8 where steps are contiguous), zero from `lanes` on; an odd last step is followed by a zero.
__attribute__((always_inline)) static inline void packCells(const float* data, int64_t laneStride, int64_t stepStride,
                                                            int64_t lanes, int64_t steps, int64_t width, float* to) {
  const int64_t pairs = steps / 2;
  int64_t done = 0;
  if (laneStride == 1) {
    alignas(64) static const uint16_t order[32] = {0, 16, 1, 17, 2,  18, 3,  19, 4,  20, 5,  21, 6,  22, 7,  23,
                                                   8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31};
    const __m512i interleave = _mm512_load_si512(order);
    for (int64_t l = 0; l < width; l += 16) {
      const __mmask16 there = firstLanes(lanes - l), room = firstLanes(width - l);
      for (int64_t p = 0; p < pairs; p++) {
        const float* even = data + 2 * p * stepStride + l;
        __m512bh both = _mm512_cvtne2ps_pbh(_mm512_maskz_loadu_ps(there, even + stepStride), _mm512_maskz_loadu_ps(there, even));
        _mm512_mask_storeu_epi32(to + p * width + l, room, _mm512_permutexvar_epi16(interleave, reinterpret_cast<__m512i>(both)));
      }
    }
    done = pairs;
  } else if (stepStride == 1) {
    alignas(64) float rows[8][8];
    for (; done + 8 <= pairs; done += 8) {
      for (int64_t first = 0; first < width; first += 8) {
        int64_t start = std::min(first, width - 8);
        const float* pointers[8];
        for (int l = 0; l < 8; l++) {
          __m512 sixteen = start + l < lanes ? _mm512_loadu_ps(data + (start + l) * laneStride + 2 * done) : _mm512_setzero_ps();
          __m256bh words = _mm512_cvtneps_pbh(sixteen);
          std::memcpy(rows[l], &words, 32);
          pointers[l] = rows[l];
        }
        transposeEight(pointers, to + done * width + start, width);
      }
    }
  }
  for (; done < pairs; done++) {
    const float* even = data + 2 * done * stepStride;
    for (int64_t l = 0; l < width; l++)
      storeCell(to + done * width + l, l < lanes ? even[l * laneStride] : 0.0f,
                l < lanes ? even[l * laneStride + stepStride] : 0.0f);
  }
  if (steps % 2 == 1)
    for (int64_t l = 0; l < width; l++)
      storeCell(to + pairs * width + l, l < lanes ? data[l * laneStride + (steps - 1) * stepStride] : 0.0f, 0.0f);
}

// As above from numbers that are bf16 already: two steps of one lane are a cell as they lie in memory where steps are
// contiguous, and are interleaved where lanes are.
__attribute__((always_inline)) static inline void packCells(const Bfloat16* data, int64_t laneStride, int64_t stepStride,
                                                            int64_t lanes, int64_t steps, int64_t width, float* to) {
  const int64_t pairs = steps / 2;
  auto cellOf = [&](int64_t l, int64_t step, bool both) {
    if (l >= lanes) return uint32_t{0};
    const Bfloat16* first = data + l * laneStride + step * stepStride;
    return first->bits | (both ? static_cast<uint32_t>(first[stepStride].bits) << 16 : 0);
  };
  int64_t done = 0;
  if (laneStride == 1) {
    for (int64_t l = 0; l < width; l += 16) {
      const __mmask16 there = firstLanes(lanes - l), room = firstLanes(width - l);
      for (int64_t p = 0; p < pairs; p++) {
        const Bfloat16* even = data + 2 * p * stepStride + l;
        const __m512i low = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(there, even));
        const __m512i high = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(there, even + stepStride));
        const __m512i cells = _mm512_or_si512(low, _mm512_slli_epi32(high, 16));
        // What a whole store writes too far, the next step overwrites.
        if (p + 1 < pairs && l == 0) _mm512_storeu_si512(to + p * width, cells);
        else _mm512_mask_storeu_epi32(to + p * width + l, room, cells);
      }
    }
    done = pairs;
  } else if (stepStride == 1) {
    alignas(64) static const float zeros[8] = {};
    for (; done + 8 <= pairs; done += 8)
      for (int64_t first = 0; first < width; first += 8) {
        const int64_t start = std::min(first, width - 8);
        const float* rows[8];
        for (int l = 0; l < 8; l++)
          rows[l] = start + l < lanes ? reinterpret_cast<const float*>(data + (start + l) * laneStride + 2 * done) : zeros;
        transposeEight(rows, to + done * width + start, width);
      }
  }
  for (int64_t p = done; p < pairs + steps % 2; p++)
    for (int64_t l = 0; l < width; l++) {
      const uint32_t bits = cellOf(l, 2 * p, p < pairs);
      std::memcpy(to + p * width + l, &bits, 4);
    }
}

// A row of `count` floats as cells of its consecutive pairs; an odd last one is followed by a zero.
static inline void rowCells(const float* from, int64_t count, float* to) {
  int64_t i = 0;
  for (; i + 32 <= count; i += 32) {
    __m512bh both = _mm512_cvtne2ps_pbh(_mm512_loadu_ps(from + i + 16), _mm512_loadu_ps(from + i));
    std::memcpy(to + i / 2, &both, 64);
  }
  for (; i + 2 <= count; i += 2) storeCell(to + i / 2, from[i], from[i + 1]);
  if (i < count) storeCell(to + i / 2, from[i], 0.0f);
}

static inline void rowCells(const Bfloat16* from, int64_t count, float* to) {
  std::memcpy(to, from, static_cast<size_t>(count) * 2);
  if (count % 2 == 1) reinterpret_cast<Bfloat16*>(to)[count] = Bfloat16{};
}

// C [ROWS, up to 16·VECTORS] (+)= A · B over groups of two steps. A's cell (i, g) is a[i · aRow + g · aColumn], B's groups are
// rows of cells, bRow apart; `last` masks the last vector of columns.
template <int ROWS, int VECTORS>
static inline void cellBlock(int64_t groups, const float* a, int64_t aRow, int64_t aColumn, const float* b, int64_t bRow,
                             float* c, int64_t cRow, __mmask16 last, bool accumulate) {
  __m512 sums[ROWS][VECTORS];
#pragma GCC unroll 8
  for (int i = 0; i < ROWS; i++)
#pragma GCC unroll 4
    for (int v = 0; v < VECTORS; v++)
      sums[i][v] = accumulate ? _mm512_maskz_loadu_ps(v == VECTORS - 1 ? last : 0xFFFF, c + i * cRow + v * 16) : _mm512_setzero_ps();
  for (int64_t g = 0; g < groups; g++) {
    __m512i right[VECTORS];
#pragma GCC unroll 4
    for (int v = 0; v < VECTORS; v++)
      right[v] = _mm512_maskz_loadu_epi32(v == VECTORS - 1 ? last : 0xFFFF, b + g * bRow + v * 16);
#pragma GCC unroll 8
    for (int i = 0; i < ROWS; i++) {
      int32_t bits;
      std::memcpy(&bits, a + i * aRow + g * aColumn, 4);
      const __m512bh left = reinterpret_cast<__m512bh>(_mm512_set1_epi32(bits));
#pragma GCC unroll 4
      for (int v = 0; v < VECTORS; v++)
        sums[i][v] = _mm512_dpbf16_ps(sums[i][v], left, reinterpret_cast<__m512bh>(right[v]));
    }
  }
#pragma GCC unroll 8
  for (int i = 0; i < ROWS; i++)
#pragma GCC unroll 4
    for (int v = 0; v < VECTORS; v++) _mm512_mask_storeu_ps(c + i * cRow + v * 16, v == VECTORS - 1 ? last : 0xFFFF, sums[i][v]);
}

template <int VECTORS>
static inline void cellColumns(int64_t m, int64_t groups, const float* a, int64_t aRow, int64_t aColumn, const float* b,
                               int64_t bRow, float* c, int64_t cRow, __mmask16 last, bool accumulate) {
  constexpr int ROWS = VECTORS <= 2 ? 8 : 4;
  int64_t i = 0;
  for (; i + ROWS <= m; i += ROWS)
    cellBlock<ROWS, VECTORS>(groups, a + i * aRow, aRow, aColumn, b, bRow, c + i * cRow, cRow, last, accumulate);
  for (; i < m; i++) cellBlock<1, VECTORS>(groups, a + i * aRow, aRow, aColumn, b, bRow, c + i * cRow, cRow, last, accumulate);
}

// C [m, n] (+)= A · B by vectors of 16 sums.
static inline void vectorCellProduct(int64_t m, int64_t n, int64_t groups, const float* a, int64_t aRow, int64_t aColumn,
                                     const float* b, int64_t bRow, float* c, int64_t cRow, bool accumulate) {
  for (int64_t j = 0; j < n; j += 64) {
    const int64_t columns = std::min<int64_t>(64, n - j);
    const __mmask16 last = firstLanes(columns - (columns - 1) / 16 * 16);
    switch ((columns + 15) / 16) {
      case 4: cellColumns<4>(m, groups, a, aRow, aColumn, b + j, bRow, c + j, cRow, last, accumulate); break;
      case 3: cellColumns<3>(m, groups, a, aRow, aColumn, b + j, bRow, c + j, cRow, last, accumulate); break;
      case 2: cellColumns<2>(m, groups, a, aRow, aColumn, b + j, bRow, c + j, cRow, last, accumulate); break;
      default: cellColumns<1>(m, groups, a, aRow, aColumn, b + j, bRow, c + j, cRow, last, accumulate);
    }
  }
}

#if TILTH_AMX
// As cellProduct, for whole tiles: m, n and groups multiples of 16. A TileScope must be open.
static inline void tiledCellProduct(int64_t m, int64_t n, int64_t groups, const float* a, int64_t aRow, int64_t aColumn,
                                    const float* b, int64_t bRow, float* c, int64_t cRow, bool accumulate) {
  // Rows of A that lie as tiles need them go in one run over k; others are turned, a step at a time.
  const int64_t steps = aColumn == 1 ? groups / 16 : 1;
  for (int64_t group = 0; group < groups; group += 16 * steps)
    for (int64_t i = 0; i < m; i += 32) {
      const bool two = i + 32 <= m;
      TileRows rows{a + i * aRow, aRow, 16 * aRow, 16};
      alignas(64) float turned[32 * 16];
      if (aColumn != 1) {
        for (int64_t first = 0; first < (two ? 32 : 16); first += 8)
          for (int64_t g = 0; g < 16; g += 8) {
            const float* lines[8];
            for (int l = 0; l < 8; l++) lines[l] = a + i + first + (group + g + l) * aColumn;
            transposeEight(lines, turned + first * 16 + g, 16);
          }
        rows = {turned, 16, 16 * 16, 0};
      }
      for (int64_t j = 0; j < n; j += 32)
        tileBlock(two, j + 32 <= n, steps, rows, b + group * bRow + j, bRow, c + i * cRow + j, cRow, accumulate || group > 0);
    }
}
#endif

// C [m, n] (+)= A · B on one thread, operands in cells (see cellBlock). With AMX, whole tiles go to it: a TileScope must be open.
static inline void cellProduct(int64_t m, int64_t n, int64_t groups, const float* a, int64_t aRow, int64_t aColumn,
                               const float* b, int64_t bRow, float* c, int64_t cRow, bool accumulate) {
#if TILTH_AMX
  const int64_t tiledRows = m / 16 * 16, tiledColumns = n / 16 * 16, tiledGroups = groups / 16 * 16;
  if (tiledRows > 0 && tiledColumns > 0 && tiledGroups > 0 && (aColumn == 1 || aRow == 1)) {
    tiledCellProduct(tiledRows, tiledColumns, tiledGroups, a, aRow, aColumn, b, bRow, c, cRow, accumulate);
    const float* lower = a + tiledRows * aRow;
    const float *restA = a + tiledGroups * aColumn, *restB = b + tiledGroups * bRow;
    if (tiledGroups < groups)
      vectorCellProduct(tiledRows, tiledColumns, groups - tiledGroups, restA, aRow, aColumn, restB, bRow, c, cRow, true);
    if (tiledColumns < n)
      vectorCellProduct(tiledRows, n - tiledColumns, groups, a, aRow, aColumn, b + tiledColumns, bRow, c + tiledColumns, cRow,
                        accumulate);
    if (tiledRows < m)
      vectorCellProduct(m - tiledRows, n, groups, lower, aRow, aColumn, b, bRow, c + tiledRows * cRow, cRow, accumulate);
    return;
  }
#endif
  vectorCellProduct(m, n, groups, a, aRow, aColumn, b, bRow, c, cRow, accumulate);
}

}  // namespace tilth
#endif
