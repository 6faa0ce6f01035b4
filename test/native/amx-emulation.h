// The tile instructions that native/amx.h uses, in software, for machines without them: given to the compiler by -include,
// with -DTILTH_EMULATE_AMX. As strict as the processor: what would raise an exception there ends the program here.
// After Intel's manual (Software Developer's Manual, volume 2: LDTILECFG, TILELOADD, TILESTORED, TILEZERO, TDPBF16PS).
#pragma once
#include <immintrin.h>

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace amx {

struct State {
  bool configured = false;
  uint8_t rows[8] = {};
  uint16_t columnBytes[8] = {};
  uint8_t data[8][16][64];
};
inline State& state() {
  static thread_local State mine;
  return mine;
}

inline void require(bool truth, const char* what) {
  if (truth) return;
  std::fprintf(stderr, "AMX emulation: %s\n", what);
  std::abort();
}

inline State& configured(int tile) {
  State& here = state();
  require(here.configured, "a tile instruction without a configuration");
  require(here.rows[tile] > 0 && here.columnBytes[tile] > 0, "a tile that is not configured");
  return here;
}

inline void loadConfiguration(const void* from) {
  uint8_t bytes[64];
  std::memcpy(bytes, from, 64);
  require(bytes[0] == 1, "palette 1 is the only one");
  for (int i = 2; i < 16; i++) require(bytes[i] == 0, "reserved bytes are zero");
  State& here = state();
  for (int tile = 0; tile < 16; tile++) {
    uint16_t columnBytes;
    std::memcpy(&columnBytes, bytes + 16 + 2 * tile, 2);
    const uint8_t rows = bytes[48 + tile];
    require(tile < 8 || (rows == 0 && columnBytes == 0), "there are eight tiles");
    require(rows <= 16 && columnBytes <= 64, "a tile has at most 16 rows of 64 bytes");
    if (tile < 8) here.rows[tile] = rows, here.columnBytes[tile] = columnBytes;
  }
  std::memset(here.data, 0, sizeof here.data);
  here.configured = true;
}

inline void release() { state() = State{}; }

inline void zero(int tile) { std::memset(configured(tile).data[tile], 0, sizeof state().data[tile]); }

inline void load(int tile, const void* base, int64_t stride) {
  State& here = configured(tile);
  std::memset(here.data[tile], 0, sizeof here.data[tile]);
  for (int row = 0; row < here.rows[tile]; row++)
    std::memcpy(here.data[tile][row], static_cast<const char*>(base) + row * stride, here.columnBytes[tile]);
}

inline void store(int tile, void* base, int64_t stride) {
  const State& here = configured(tile);
  for (int row = 0; row < here.rows[tile]; row++)
    std::memcpy(static_cast<char*>(base) + row * stride, here.data[tile][row], here.columnBytes[tile]);
}

// Subnormal numbers count as zero.
inline float flushed(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, 4);
  if ((bits & 0x7f800000) != 0) return value;
  bits &= 0x80000000;
  std::memcpy(&value, &bits, 4);
  return value;
}

inline float widened(const uint8_t* bf16) {
  uint16_t half;
  std::memcpy(&half, bf16, 2);
  const uint32_t bits = static_cast<uint32_t>(half) << 16;
  float value;
  std::memcpy(&value, &bits, 4);
  return flushed(value);
}

// Even and odd products are summed apart by fused multiply-adds, then together, then onto the tile.
inline void multiply(int to, int left, int right) {
  State& here = configured(to);
  configured(left);
  configured(right);
  require(to != left && to != right && left != right, "three different tiles");
  require(here.rows[to] == here.rows[left] && here.columnBytes[to] == here.columnBytes[right] &&
              here.columnBytes[left] == here.rows[right] * 4,
          "tiles of shapes that fit");
  for (int m = 0; m < here.rows[to]; m++)
    for (int n = 0; n < here.columnBytes[to] / 4; n++) {
      float even = 0, odd = 0;
      for (int k = 0; k < here.columnBytes[left] / 4; k++) {
        const uint8_t *a = here.data[left][m] + 4 * k, *b = here.data[right][k] + 4 * n;
        even = flushed(std::fma(widened(a), widened(b), even));
        odd = flushed(std::fma(widened(a + 2), widened(b + 2), odd));
      }
      float sum;
      std::memcpy(&sum, here.data[to][m] + 4 * n, 4);
      sum = flushed(flushed(sum) + flushed(even + odd));
      std::memcpy(here.data[to][m] + 4 * n, &sum, 4);
    }
}

}  // namespace amx

#undef _tile_loadd
#undef _tile_stored
#undef _tile_zero
#undef _tile_dpbf16ps
#define _tile_loadconfig amx::loadConfiguration
#define _tile_release amx::release
#define _tile_zero amx::zero
#define _tile_loadd amx::load
#define _tile_stored amx::store
#define _tile_dpbf16ps amx::multiply
