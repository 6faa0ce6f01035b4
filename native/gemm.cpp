// Matrix product C [m, n] (+)= op(A) · op(B), operands f32 in memory, multiplied in f32 or bfloat16, summed in f32: 2·m·n·k FLOPs; bound by the FMA units for m, n, k ≥ 64.
// Goto's scheme (Goto & van de Geijn 2008): B is packed into panels of NR columns (shared by the team, kc × nc in L3, one
// panel in L1), A into panels of MR rows (kc × mc in L2), and a register tile of MR × NR runs over k.
// A and B are read once a block, C once for every KC of k. With one row (generation) the product is a stream over B:
// bound by memory.
#include "gemm.h"

#include <algorithm>

#include "bf16.h"
#include "transpose.h"
#include "vector.h"


namespace tilth {
namespace {

constexpr int NV = 2;  // vectors in a row of the register tile
constexpr int NR = NV * W;
constexpr int MR = W == 16 ? 14 : 6;
constexpr int64_t MC = MR * 16;
constexpr int64_t NC = 2048 / NR * NR;
constexpr int64_t kPadding = 16;  // cells that packing may write past a panel

// How numbers lie in packed panels and multiply. A panel is a sequence of cells of four bytes, R of them a group of k.
struct SingleFormat {
  static constexpr int64_t kGroup = 1;  // steps of k in a cell
  static constexpr int64_t KC = 256;    // steps of k in a block
  static Vector left(const float* cell) { return broadcast(*cell); }
  static void multiplyAdd(Vector& sum, Vector left, Vector right) { sum += left * right; }
  template <int R>
  static void pack(const float* data, int64_t laneStride, int64_t stepStride, int64_t lanes, int64_t steps, float* to);
};

// Packs `lanes` ≤ R rows (lane l of step p is data[l · laneStride + p · stepStride]) into steps of R floats, zero-filled.
template <int R>
void SingleFormat::pack(const float* data, int64_t laneStride, int64_t stepStride, int64_t lanes, int64_t steps, float* to) {
  if (laneStride == 1) {
    if (lanes == R) {
      for (int64_t p = 0; p < steps; p++) std::memcpy(to + p * R, data + p * stepStride, R * 4);
    } else {
      for (int64_t p = 0; p < steps; p++)
        for (int l = 0; l < R; l++) to[p * R + l] = l < lanes ? data[p * stepStride + l] : 0.0f;
    }
    return;
  }
  alignas(64) static const float zeros[8] = {};
  // Blocks of eight lanes, the last one moved back to end at R: it writes some lanes a second time with the same values.
  // Where R < 8 the stores run over into the next step, which is written afterwards.
  int64_t whole = steps / 8 * 8;
  for (int64_t p = 0; p < whole; p += 8) {
    for (int first = 0; first < R; first += 8) {
      int start = R >= 8 ? std::min(first, R - 8) : 0;
      const float* rows[8];
      for (int l = 0; l < 8; l++) rows[l] = start + l < lanes ? data + (start + l) * laneStride + p : zeros;
      transposeEight(rows, to + p * R + start, R);
    }
  }
  for (int64_t p = whole; p < steps; p++)
    for (int l = 0; l < R; l++) to[p * R + l] = l < lanes ? data[l * laneStride + p] : 0.0f;
}

#if defined(__AVX512BF16__)
// Two steps of k in a cell, as bfloat16 rounded to nearest even; products are summed in f32 (AVX512-BF16's VDPBF16PS).
struct Bfloat16Format {
  static constexpr int64_t kGroup = 2;
  static constexpr int64_t KC = 512;
  static Vector left(const float* cell) {
    int32_t bits;
    std::memcpy(&bits, cell, 4);
    return reinterpret_cast<Vector>(_mm512_set1_epi32(bits));
  }
  static void multiplyAdd(Vector& sum, Vector left, Vector right) {
    sum = reinterpret_cast<Vector>(_mm512_dpbf16_ps(reinterpret_cast<__m512>(sum), reinterpret_cast<__m512bh>(left),
                                                    reinterpret_cast<__m512bh>(right)));
  }
  template <int R>
  static void pack(const float* data, int64_t laneStride, int64_t stepStride, int64_t lanes, int64_t steps, float* to) {
    packCells(data, laneStride, stepStride, lanes, steps, R, to);
  }
};
#endif

// C tile (rows × columns, at most MR × NR) (+)= panel of A · panel of B over `groups` of k.
template <typename Format>
void multiplyTile(const float* a, const float* b, int64_t groups, float* c, int64_t cStride, int64_t rows, int64_t columns,
                  bool add) {
  Vector sums[MR][NV] = {};
  // The tile of C comes from far away: it is on its way while the products are summed.
  for (int64_t i = 0; i < rows; i++)
    for (int v = 0; v < NV; v++) __builtin_prefetch(c + i * cStride + v * W, 1);
  for (int64_t p = 0; p < groups; p++) {
    Vector right[NV];
#pragma GCC unroll 4
    for (int v = 0; v < NV; v++) right[v] = load(b + p * NR + v * W);
#pragma GCC unroll 16
    for (int i = 0; i < MR; i++) {
      Vector left = Format::left(a + p * MR + i);
#pragma GCC unroll 4
      for (int v = 0; v < NV; v++) Format::multiplyAdd(sums[i][v], left, right[v]);
    }
  }
  if (rows == MR && columns == NR) {
#pragma GCC unroll 16
    for (int i = 0; i < MR; i++)
#pragma GCC unroll 4
      for (int v = 0; v < NV; v++) {
        float* to = c + i * cStride + v * W;
        store(to, add ? load(to) + sums[i][v] : sums[i][v]);
      }
    return;
  }
  alignas(64) float tile[MR][NR];
  std::memcpy(tile, sums, sizeof tile);
  for (int64_t i = 0; i < rows; i++)
    for (int64_t j = 0; j < columns; j++) c[i * cStride + j] = add ? c[i * cStride + j] + tile[i][j] : tile[i][j];
}

// Products of few rows with rows of B that are contiguous in k: dot products, each row of B read once.
void dotRows(int64_t m, int64_t k, Matrix a, Matrix b, float* c, int64_t cStride, bool accumulate, int64_t from, int64_t to) {
  for (int64_t j = from; j < to; j++) {
    const float* right = b.data + j * b.columnStride;
    for (int64_t i = 0; i < m; i++) {
      const float* left = a.data + i * a.rowStride;
      Vector sums[4] = {};
      int64_t p = 0;
      for (; p + 4 * W <= k; p += 4 * W)
        for (int v = 0; v < 4; v++) sums[v] += load(left + p + v * W) * load(right + p + v * W);
      for (; p + W <= k; p += W) sums[0] += load(left + p) * load(right + p);
      if (p < k) sums[1] += loadPart(left + p, k - p) * loadPart(right + p, k - p);
      float sum = sumOf((sums[0] + sums[1]) + (sums[2] + sums[3]));
      float* out = c + i * cStride + j;
      *out = accumulate ? *out + sum : sum;
    }
  }
}

template <typename Format>
void blockedProduct(int64_t m, int64_t n, int64_t k, Matrix a, Matrix b, float* c, int64_t cStride, bool accumulate, int thread,
                    const Team& team) {
  // Rows are shared out where there are enough of them, else columns.
  bool byRows = team.threads == 1 || m >= int64_t{MR} * 2 * team.threads;
  Range rows = byRows ? partOf(m, thread, team.threads, MR) : Range{0, m};
  Range all = byRows ? Range{0, n} : partOf(n, thread, team.threads, NR);
  // Groups of k in a block: what a panel's row of cells is counted in.
  int64_t steps = (std::min(k, Format::KC) + Format::kGroup - 1) / Format::kGroup;
  int64_t width = std::min((n + NR - 1) / NR * NR, NC);
  // By rows the team packs B together, into two buffers in turn: one barrier a block is then enough.
  int64_t bufferFloats = width * steps + kPadding;
  float* packedA = static_cast<float*>(scratch(thread, 1, (MC * steps + kPadding) * 4));
  if (!byRows || thread == 0) scratch(thread, 0, 2 * bufferFloats * 4);
  if (byRows) team.barrier();  // thread 0 may have grown the shared buffer
  float* shared = static_cast<float*>(scratch(byRows ? 0 : thread, 0, 0));
  int turn = 0;
  for (int64_t column = all.begin; column < all.end; column += NC) {
    int64_t columns = std::min(NC, all.end - column);
    for (int64_t step = 0; step < k; step += Format::KC, turn ^= 1) {
      int64_t depth = std::min(Format::KC, k - step), groups = (depth + Format::kGroup - 1) / Format::kGroup;
      float* packedB = shared + turn * bufferFloats;
      int64_t panels = (columns + NR - 1) / NR;
      Range mine = byRows ? partOf(panels, thread, team.threads) : Range{0, panels};
      for (int64_t panel = mine.begin; panel < mine.end; panel++) {
        const float* from = b.data + (column + panel * NR) * b.columnStride + step * b.rowStride;
        int64_t lanes = std::min<int64_t>(NR, columns - panel * NR);
        Format::template pack<NR>(from, b.columnStride, b.rowStride, lanes, depth, packedB + panel * NR * groups);
      }
      if (byRows) team.barrier();
      bool add = accumulate || step > 0;
      for (int64_t row = rows.begin; row < rows.end; row += MC) {
        int64_t height = std::min(MC, rows.end - row);
        for (int64_t i = 0; i < height; i += MR) {
          const float* from = a.data + (row + i) * a.rowStride + step * a.columnStride;
          Format::template pack<MR>(from, a.rowStride, a.columnStride, std::min<int64_t>(MR, height - i), depth,
                                    packedA + i * groups);
        }
        for (int64_t panel = 0; panel < panels; panel++)
          for (int64_t i = 0; i < height; i += MR)
            multiplyTile<Format>(packedA + i * groups, packedB + panel * NR * groups, groups,
                         c + (row + i) * cStride + column + panel * NR, cStride, std::min<int64_t>(MR, height - i),
                         std::min<int64_t>(NR, columns - panel * NR), add);
      }
    }
  }
}

}  // namespace

void gemmOnTeam(int64_t m, int64_t n, int64_t k, Matrix a, Matrix b, float* c, int64_t cStride, bool accumulate,
                Precision precision, int thread, const Team& team) {
  if (k == 0 || m == 0 || n == 0) {
    if (!accumulate && thread == 0)
      for (int64_t i = 0; i < m; i++) std::fill(c + i * cStride, c + i * cStride + n, 0.0f);
    return;
  }
  if (m <= 4 && a.columnStride == 1 && b.rowStride == 1) {
    Range range = partOf(n, thread, team.threads, 16);
    dotRows(m, k, a, b, c, cStride, accumulate, range.begin, range.end);
    return;
  }
#if defined(__AVX512BF16__)
  if (precision == Precision::bf16) {
    blockedProduct<Bfloat16Format>(m, n, k, a, b, c, cStride, accumulate, thread, team);
    return;
  }
#endif
  (void)precision;
  blockedProduct<SingleFormat>(m, n, k, a, b, c, cStride, accumulate, thread, team);
}

}  // namespace tilth

// out [m, n] = op(a) · op(b); strides in elements.
TILTH_EXPORT void tilth_matmul(int threads, float* out, int64_t outStride, const float* a, int64_t aStride, int transposeA,
                               const float* b, int64_t bStride, int transposeB, int64_t m, int64_t n, int64_t k,
                               int accumulate, int precision) {
  tilth::Timer timer;
  tilth::Matrix left = transposeA ? tilth::Matrix{a, 1, aStride} : tilth::Matrix{a, aStride, 1};
  tilth::Matrix right = transposeB ? tilth::Matrix{b, 1, bStride} : tilth::Matrix{b, bStride, 1};
  // Below some 10⁵ FLOPs waking the team costs more than it saves.
  int used = 2 * m * n * k < 200000 ? 1 : threads;
  tilth::parallel(used, [&](int thread, const tilth::Team& team) {
    tilth::gemmOnTeam(m, n, k, left, right, out, outStride, accumulate != 0, tilth::precisionOf(precision), thread, team);
  });
}
