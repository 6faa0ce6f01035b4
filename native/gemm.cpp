// Matrix product C [m, n] (+)= op(A) · op(B) in f32: 2·m·n·k FLOPs; bound by the FMA units for m, n, k ≥ 64.
// Goto's scheme (Goto & van de Geijn 2008): B is packed into panels of NR columns (shared by the team, kc × nc in L3, one
// panel in L1), A into panels of MR rows (kc × mc in L2), and a register tile of MR × NR runs over k.
// A and B are read once a block, C once for every KC of k. With one row (generation) the product is a stream over B:
// bound by memory.
#include "gemm.h"

#include <algorithm>

#include "vector.h"

namespace tilth {
namespace {

constexpr int NV = 2;  // vectors in a row of the register tile
constexpr int NR = NV * W;
constexpr int MR = W == 16 ? 14 : 6;
constexpr int64_t KC = 256;
constexpr int64_t MC = MR * 16;
constexpr int64_t NC = 2048 / NR * NR;
constexpr int64_t kPadding = 16;  // floats that packing may write past a panel

// 8 × 8 block of `from` (8 rows of stride `stride`, 8 consecutive elements each), transposed to rows of stride `toStride`.
typedef float Eight __attribute__((vector_size(32)));
inline void transposeEight(const float* const from[8], float* to, int64_t toStride) {
  Eight r[8];
  for (int i = 0; i < 8; i++) std::memcpy(&r[i], from[i], 32);
  Eight t[8], u[8];
  for (int i = 0; i < 8; i += 2) {
    t[i] = __builtin_shufflevector(r[i], r[i + 1], 0, 8, 2, 10, 4, 12, 6, 14);
    t[i + 1] = __builtin_shufflevector(r[i], r[i + 1], 1, 9, 3, 11, 5, 13, 7, 15);
  }
  for (int i = 0; i < 8; i += 4)
    for (int j = 0; j < 2; j++) {
      u[i + j] = __builtin_shufflevector(t[i + j], t[i + j + 2], 0, 1, 8, 9, 4, 5, 12, 13);
      u[i + j + 2] = __builtin_shufflevector(t[i + j], t[i + j + 2], 2, 3, 10, 11, 6, 7, 14, 15);
    }
  // In ascending order: with toStride < 8 each store overwrites what the one before wrote too far.
  for (int j = 0; j < 8; j++) {
    Eight row = j < 4 ? __builtin_shufflevector(u[j % 4], u[j % 4 + 4], 0, 1, 2, 3, 8, 9, 10, 11)
                      : __builtin_shufflevector(u[j % 4], u[j % 4 + 4], 4, 5, 6, 7, 12, 13, 14, 15);
    std::memcpy(to + j * toStride, &row, 32);
  }
}

// Packs `lanes` ≤ R rows (lane l of step p is data[l · laneStride + p · stepStride]) into steps of R floats, zero-filled.
template <int R>
void packPanel(const float* data, int64_t laneStride, int64_t stepStride, int64_t lanes, int64_t steps, float* to) {
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

// C tile (rows × columns, at most MR × NR) (+)= panel of A · panel of B over `steps`.
void multiplyTile(const float* a, const float* b, int64_t steps, float* c, int64_t cStride, int64_t rows, int64_t columns,
                  bool add) {
  Vector sums[MR][NV] = {};
  for (int64_t p = 0; p < steps; p++) {
    Vector right[NV];
#pragma GCC unroll 4
    for (int v = 0; v < NV; v++) right[v] = load(b + p * NR + v * W);
#pragma GCC unroll 16
    for (int i = 0; i < MR; i++) {
      Vector left = broadcast(a[p * MR + i]);
#pragma GCC unroll 4
      for (int v = 0; v < NV; v++) sums[i][v] += left * right[v];
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

}  // namespace

void gemmOnTeam(int64_t m, int64_t n, int64_t k, Matrix a, Matrix b, float* c, int64_t cStride, bool accumulate, int thread,
                const Team& team) {
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
  // Rows are shared out where there are enough of them, else columns.
  bool byRows = team.threads == 1 || m >= int64_t{MR} * 2 * team.threads;
  Range rows = byRows ? partOf(m, thread, team.threads, MR) : Range{0, m};
  Range all = byRows ? Range{0, n} : partOf(n, thread, team.threads, NR);
  int64_t steps = std::min(k, KC);
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
    for (int64_t step = 0; step < k; step += KC, turn ^= 1) {
      int64_t depth = std::min(KC, k - step);
      float* packedB = shared + turn * bufferFloats;
      int64_t panels = (columns + NR - 1) / NR;
      Range mine = byRows ? partOf(panels, thread, team.threads) : Range{0, panels};
      for (int64_t panel = mine.begin; panel < mine.end; panel++) {
        const float* from = b.data + (column + panel * NR) * b.columnStride + step * b.rowStride;
        int64_t lanes = std::min<int64_t>(NR, columns - panel * NR);
        packPanel<NR>(from, b.columnStride, b.rowStride, lanes, depth, packedB + panel * NR * depth);
      }
      if (byRows) team.barrier();
      bool add = accumulate || step > 0;
      for (int64_t row = rows.begin; row < rows.end; row += MC) {
        int64_t height = std::min(MC, rows.end - row);
        for (int64_t i = 0; i < height; i += MR) {
          const float* from = a.data + (row + i) * a.rowStride + step * a.columnStride;
          packPanel<MR>(from, a.rowStride, a.columnStride, std::min<int64_t>(MR, height - i), depth, packedA + i * depth);
        }
        for (int64_t panel = 0; panel < panels; panel++)
          for (int64_t i = 0; i < height; i += MR)
            multiplyTile(packedA + i * depth, packedB + panel * NR * depth, depth,
                         c + (row + i) * cStride + column + panel * NR, cStride, std::min<int64_t>(MR, height - i),
                         std::min<int64_t>(NR, columns - panel * NR), add);
      }
    }
  }
}

}  // namespace tilth

// out [m, n] = op(a) · op(b); strides in elements.
TILTH_EXPORT void tilth_matmul(int threads, float* out, int64_t outStride, const float* a, int64_t aStride, int transposeA,
                               const float* b, int64_t bStride, int transposeB, int64_t m, int64_t n, int64_t k,
                               int accumulate) {
  tilth::Timer timer;
  tilth::Matrix left = transposeA ? tilth::Matrix{a, 1, aStride} : tilth::Matrix{a, aStride, 1};
  tilth::Matrix right = transposeB ? tilth::Matrix{b, 1, bStride} : tilth::Matrix{b, bStride, 1};
  // Below some 10⁵ FLOPs waking the team costs more than it saves.
  int used = 2 * m * n * k < 200000 ? 1 : threads;
  tilth::parallel(used, [&](int thread, const tilth::Team& team) {
    tilth::gemmOnTeam(m, n, k, left, right, out, outStride, accumulate != 0, thread, team);
  });
}
