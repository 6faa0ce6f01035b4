// Tiles of AMX: 16 rows of 64 bytes, that is of 16 cells of two bf16 numbers (see bf16.h) or of 16 sums in f32.
// Registers 0–3 sum a block of 32 × 32, 4–5 hold rows of A, 6–7 columns of B: four products for four loads.
#pragma once
#if defined(__AMX_BF16__) || defined(TILTH_EMULATE_AMX)
#define TILTH_AMX 1
#include <immintrin.h>
#else
#define TILTH_AMX 0
#endif

#include <cstdint>

namespace tilth {

#if TILTH_AMX

// Tiles may be used by this thread while one of these lives: another library may leave another configuration behind.
struct TileScope {
  TileScope() {
    struct alignas(64) Configuration {
      uint8_t palette = 1, startRow = 0, reserved[14] = {};
      uint16_t columnBytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
      uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
    };
    static const Configuration configuration;
    _tile_loadconfig(&configuration);
  }
  ~TileScope() { _tile_release(); }
  TileScope(const TileScope&) = delete;
};

// Where the tiles of A lie, in cells: a step of k is 16 cells of every row.
struct TileRows {
  const float* data;
  int64_t row, half, step;  // distances of rows, of the upper from the lower 16 rows, of steps
};

// C [16·ROWS, 16·COLUMNS] (+)= A · B over `steps` of 16 groups; B's groups are rows of cells, bRow apart. ROWS, COLUMNS: 1 or 2.
template <int ROWS, int COLUMNS>
static inline void tileBlocks(int64_t steps, TileRows a, const float* b, int64_t bRow, float* c, int64_t cRow,
                              bool accumulate) {
  const int64_t aBytes = a.row * 4, bBytes = bRow * 4, cBytes = cRow * 4;
  float* lower = c + 16 * cRow;
  // The compiler does not know that loading a tile reads memory: what was written there must be written now.
  asm volatile("" : : "r"(a.data), "r"(b), "r"(c) : "memory");
  if (accumulate) {
    _tile_loadd(0, c, cBytes);
    if constexpr (COLUMNS == 2) _tile_loadd(1, c + 16, cBytes);
    if constexpr (ROWS == 2) _tile_loadd(2, lower, cBytes);
    if constexpr (ROWS == 2 && COLUMNS == 2) _tile_loadd(3, lower + 16, cBytes);
  } else {
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
  }
  for (int64_t step = 0; step < steps; step++) {
    const float *rows = a.data + step * a.step, *columns = b + step * 16 * bRow;
    _tile_loadd(4, rows, aBytes);
    _tile_loadd(6, columns, bBytes);
    _tile_dpbf16ps(0, 4, 6);
    if constexpr (COLUMNS == 2) {
      _tile_loadd(7, columns + 16, bBytes);
      _tile_dpbf16ps(1, 4, 7);
    }
    if constexpr (ROWS == 2) {
      _tile_loadd(5, rows + a.half, aBytes);
      _tile_dpbf16ps(2, 5, 6);
      if constexpr (COLUMNS == 2) _tile_dpbf16ps(3, 5, 7);
    }
  }
  _tile_stored(0, c, cBytes);
  if constexpr (COLUMNS == 2) _tile_stored(1, c + 16, cBytes);
  if constexpr (ROWS == 2) _tile_stored(2, lower, cBytes);
  if constexpr (ROWS == 2 && COLUMNS == 2) _tile_stored(3, lower + 16, cBytes);
}

// The same for any number of rows and columns of tiles in one call of at most 32 × 32.
static inline void tileBlock(bool twoRows, bool twoColumns, int64_t steps, TileRows a, const float* b, int64_t bRow, float* c,
                             int64_t cRow, bool accumulate) {
  if (twoRows && twoColumns) tileBlocks<2, 2>(steps, a, b, bRow, c, cRow, accumulate);
  else if (twoRows) tileBlocks<2, 1>(steps, a, b, bRow, c, cRow, accumulate);
  else if (twoColumns) tileBlocks<1, 2>(steps, a, b, bRow, c, cRow, accumulate);
  else tileBlocks<1, 1>(steps, a, b, bRow, c, cRow, accumulate);
}

#else

struct TileScope {
  TileScope() {}
};

#endif

}  // namespace tilth
