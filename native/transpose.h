// Transposing in registers, for packing.
#pragma once
#include <cstdint>
#include <cstring>

#include "shuffle.h"

namespace tilth {

// 8 × 8 block of `from` (8 rows of stride `stride`, 8 consecutive elements each), transposed to rows of stride `toStride`.
typedef float Eight __attribute__((vector_size(32)));
static inline void transposeEight(const float* const from[8], float* to, int64_t toStride) {
  Eight r[8];
  for (int i = 0; i < 8; i++) std::memcpy(&r[i], from[i], 32);
  Eight t[8], u[8];
  for (int i = 0; i < 8; i += 2) {
    t[i] = TILTH_SHUFFLE(r[i], r[i + 1], 0, 8, 2, 10, 4, 12, 6, 14);
    t[i + 1] = TILTH_SHUFFLE(r[i], r[i + 1], 1, 9, 3, 11, 5, 13, 7, 15);
  }
  for (int i = 0; i < 8; i += 4)
    for (int j = 0; j < 2; j++) {
      u[i + j] = TILTH_SHUFFLE(t[i + j], t[i + j + 2], 0, 1, 8, 9, 4, 5, 12, 13);
      u[i + j + 2] = TILTH_SHUFFLE(t[i + j], t[i + j + 2], 2, 3, 10, 11, 6, 7, 14, 15);
    }
  // In ascending order: with toStride < 8 each store overwrites what the one before wrote too far.
  for (int j = 0; j < 8; j++) {
    Eight row = j < 4 ? TILTH_SHUFFLE(u[j % 4], u[j % 4 + 4], 0, 1, 2, 3, 8, 9, 10, 11)
                      : TILTH_SHUFFLE(u[j % 4], u[j % 4 + 4], 4, 5, 6, 7, 12, 13, 14, 15);
    std::memcpy(to + j * toStride, &row, 32);
  }
}

}  // namespace tilth
