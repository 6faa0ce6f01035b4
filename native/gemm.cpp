// Matrix product C [m, n] (+)= op(A) · op(B), operands f32 or bf16 in memory, multiplied in f32 or bfloat16, summed in f32: 2·m·n·k FLOPs; bound by the FMA units for m, n, k ≥ 64.
// Goto's scheme (Goto & van de Geijn 2008): B is packed into panels of NR columns (shared by the team, in L3), A into panels
// of MR rows (a block of them in L2), and a register tile of MR × NR runs over a block of k; both panels stream from L2, which
// keeps up, so that blocks of k are long and C is touched once in most products.
// With one row (generation) the product is a stream over B: bound by memory.
#include "gemm.h"

#include <algorithm>

#include "bf16.h"
#include "transpose.h"

namespace tilth {
namespace {

constexpr int NV = 2;  // vectors in a row of the register tile
constexpr int NR = NV * W;
#if defined(__aarch64__)
constexpr int MR = 12;  // 32 registers, as with AVX-512
#else
constexpr int MR = W == 16 ? 14 : 6;
#endif
constexpr int64_t kCellBytes = 4;
constexpr int64_t kBlockCells = 1024;                       // of k in a block, where the result can hold partial sums
constexpr int64_t kLeftBytes = (W == 16 ? 480 : 160) << 10;  // of packed A, in L2 beside a panel of B
constexpr int64_t kRightBytes = 8 << 20;                    // of packed B, in L3
constexpr int64_t kPadding = 16;                            // cells that packing may write past a panel

// How numbers lie in packed panels and multiply. A panel is a sequence of cells of four bytes, R of them a group of k.
struct SingleFormat {
  static constexpr int64_t kGroup = 1;  // steps of k in a cell
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

#if defined(__AVX512BF16__) && !TILTH_AMX
// Two steps of k in a cell, as bfloat16 rounded to nearest even; products are summed in f32 (AVX512-BF16's VDPBF16PS).
struct Bfloat16Format {
  static constexpr int64_t kGroup = 2;
  static Vector left(const float* cell) {
    int32_t bits;
    std::memcpy(&bits, cell, 4);
    return reinterpret_cast<Vector>(_mm512_set1_epi32(bits));
  }
  static void multiplyAdd(Vector& sum, Vector left, Vector right) {
    sum = reinterpret_cast<Vector>(_mm512_dpbf16_ps(reinterpret_cast<__m512>(sum), reinterpret_cast<__m512bh>(left),
                                                    reinterpret_cast<__m512bh>(right)));
  }
  template <int R, typename Number>
  static void pack(const Number* data, int64_t laneStride, int64_t stepStride, int64_t lanes, int64_t steps, float* to) {
    packCells(data, laneStride, stepStride, lanes, steps, R, to);
  }
};
#endif

// What is packed: lanes (rows of A, columns of B) from one lane and step on.
struct Lanes {
  const void* data;
  int64_t laneStride, stepStride, count, steps;
  bool bf16;
  template <typename Number>
  const Number* at(int64_t lane, int64_t step) const {
    return static_cast<const Number*>(data) + lane * laneStride + step * stepStride;
  }
};
Lanes rowsOf(const Matrix& a, int64_t row, int64_t step, int64_t count, int64_t steps) {
  return {a.at(row, step), a.rowStride, a.columnStride, count, steps, a.bf16};
}
Lanes columnsOf(const Matrix& b, int64_t column, int64_t step, int64_t count, int64_t steps) {
  return {b.at(step, column), b.columnStride, b.rowStride, count, steps, b.bf16};
}

// Packs panels of R lanes, each to `to` + panel · R · groups. Where lanes are contiguous, some steps of all panels come before
// the next steps, so that every cache line is read once.
template <typename Format, int R>
void packPanels(const Lanes& from, Range panels, int64_t groups, float* to) {
  const int64_t most = from.laneStride == 1 ? 64 : from.steps;
  for (int64_t step = 0; step < from.steps; step += most) {
    const int64_t steps = std::min(most, from.steps - step);
    for (int64_t panel = panels.begin; panel < panels.end; panel++) {
      const int64_t lane = panel * R, lanes = std::min<int64_t>(R, from.count - lane);
      float* packed = to + lane * groups + step / Format::kGroup * R;
#if defined(__AVX512BF16__) && !TILTH_AMX
      if constexpr (Format::kGroup == 2) {
        if (from.bf16) {
          Format::template pack<R>(from.at<Bfloat16>(lane, step), from.laneStride, from.stepStride, lanes, steps, packed);
          continue;
        }
      }
#endif
      Format::template pack<R>(from.at<float>(lane, step), from.laneStride, from.stepStride, lanes, steps, packed);
    }
  }
}

// A tile's sums into C, at most MR × NR of them; `bias`, if there is one, starts at the tile's column.
template <typename Number>
void finishTile(const Vector (&sums)[MR][NV], Number* c, int64_t cStride, int64_t rows, int64_t columns, bool add,
                const float* bias) {
  if (rows == MR && columns == NR) {
    Vector first[NV] = {};
    if (bias)
      for (int v = 0; v < NV; v++) first[v] = load(bias + v * W);
#pragma GCC unroll 16
    for (int i = 0; i < MR; i++)
#pragma GCC unroll 4
      for (int v = 0; v < NV; v++) {
        Number* to = c + i * cStride + v * W;
        const Vector sum = sums[i][v] + first[v];
        store(to, add ? load(to) + sum : sum);
      }
    return;
  }
  alignas(64) float tile[MR][NR];
  std::memcpy(tile, sums, sizeof tile);
  for (int64_t i = 0; i < rows; i++)
    for (int64_t j = 0; j < columns; j++) {
      Number* to = c + i * cStride + j;
      const float sum = tile[i][j] + (bias ? bias[j] : 0.0f);
      storeOne(to, add ? toFloat(*to) + sum : sum);
    }
}

// C tile (rows × columns at (row, column), at most MR × NR) (+)= panel of A · panel of B over `groups` of k.
template <typename Format>
void multiplyTile(const float* a, const float* b, int64_t groups, const Result& c, int64_t row, int64_t column, int64_t rows,
                  int64_t columns, bool add, const float* bias) {
  Vector sums[MR][NV] = {};
  // The tile of C comes from far away: it is on its way while the products are summed.
  for (int64_t i = 0; i < rows; i++)
    for (int v = 0; v < (c.bf16 ? 1 : NV); v++) __builtin_prefetch(static_cast<char*>(c.at(row + i, column)) + v * W * 4, 1);
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
  const float* from = bias ? bias + column : nullptr;
  if (c.bf16)
    finishTile(sums, static_cast<Bfloat16*>(c.at(row, column)), c.stride, rows, columns, add, from);
  else
    finishTile(sums, static_cast<float*>(c.at(row, column)), c.stride, rows, columns, add, from);
}

// Products of few rows with rows of B that are contiguous in k: dot products, each row of B read once.
template <typename Left, typename Out>
void dotRows(int64_t m, int64_t k, const Matrix& a, const Matrix& b, const Result& c, int64_t from, int64_t to) {
  for (int64_t j = from; j < to; j++) {
    const float* right = static_cast<const float*>(b.at(0, j));
    for (int64_t i = 0; i < m; i++) {
      const Left* left = static_cast<const Left*>(a.at(i, 0));
      Vector sums[4] = {};
      int64_t p = 0;
      for (; p + 4 * W <= k; p += 4 * W)
        for (int v = 0; v < 4; v++) sums[v] += load(left + p + v * W) * load(right + p + v * W);
      for (; p + W <= k; p += W) sums[0] += load(left + p) * load(right + p);
      if (p < k) sums[1] += loadPart(left + p, k - p) * loadPart(right + p, k - p);
      const float sum = sumOf((sums[0] + sums[1]) + (sums[2] + sums[3])) + (c.bias ? c.bias[j] : 0.0f);
      Out* out = static_cast<Out*>(c.at(i, j));
      storeOne(out, c.accumulate ? toFloat(*out) + sum : sum);
    }
  }
}

// Into how large pieces of k the product goes: equal ones, whole groups. A bf16 result is rounded once, so all of k is one.
template <typename Format>
int64_t depthOf(int64_t k, const Result& c) {
  const int64_t most = kBlockCells * Format::kGroup;
  if (c.bf16 || k <= most) return k;
  const int64_t blocks = (k + most - 1) / most, grain = 8 * Format::kGroup;
  return ((k + blocks - 1) / blocks + grain - 1) / grain * grain;
}

template <typename Format>
void blockedProduct(int64_t m, int64_t n, int64_t k, Matrix a, Matrix b, const Result& c, int thread, const Team& team) {
  // Rows are shared out where there are enough of them, else columns.
  const bool byRows = team.threads == 1 || m >= int64_t{MR} * 2 * team.threads;
  const Range rows = byRows ? partOf(m, thread, team.threads, MR) : Range{0, m};
  const Range all = byRows ? Range{0, n} : partOf(n, thread, team.threads, NR);
  // Groups of k in a block: what a panel's row of cells is counted in.
  const int64_t depthMost = depthOf<Format>(k, c), groupsMost = (depthMost + Format::kGroup - 1) / Format::kGroup;
  const int64_t heightMost = std::max<int64_t>(2, kLeftBytes / kCellBytes / groupsMost / MR) * MR;
  const int64_t widthMost = std::max<int64_t>(4, kRightBytes / kCellBytes / groupsMost / NR) * NR;
  // By rows the team packs B together, into two buffers in turn: one barrier a block is then enough.
  const int64_t bufferFloats = std::min((n + NR - 1) / NR * NR, widthMost) * groupsMost + kPadding;
  const int64_t leftRows = std::min((m + MR - 1) / MR * MR, heightMost);
  float* packedA = static_cast<float*>(scratch(thread, 1, (leftRows * groupsMost + kPadding) * kCellBytes));
  if (!byRows || thread == 0) scratch(thread, 0, 2 * bufferFloats * kCellBytes);
  if (byRows) team.barrier();  // thread 0 may have grown the shared buffer
  float* shared = static_cast<float*>(scratch(byRows ? 0 : thread, 0, 0));
  int turn = 0;
  for (int64_t column = all.begin; column < all.end; column += widthMost) {
    const int64_t columns = std::min(widthMost, all.end - column), panels = (columns + NR - 1) / NR;
    for (int64_t step = 0; step < k; step += depthMost, turn ^= 1) {
      const int64_t depth = std::min(depthMost, k - step), groups = (depth + Format::kGroup - 1) / Format::kGroup;
      float* packedB = shared + turn * bufferFloats;
      const Range mine = byRows ? partOf(panels, thread, team.threads) : Range{0, panels};
      packPanels<Format, NR>(columnsOf(b, column, step, columns, depth), mine, groups, packedB);
      if (byRows) team.barrier();
      const bool add = c.accumulate || step > 0;
      const float* bias = step == 0 ? c.bias : nullptr;
      for (int64_t row = rows.begin; row < rows.end; row += heightMost) {
        const int64_t height = std::min(heightMost, rows.end - row);
        packPanels<Format, MR>(rowsOf(a, row, step, height, depth), {0, (height + MR - 1) / MR}, groups, packedA);
        for (int64_t panel = 0; panel < panels; panel++)
          for (int64_t i = 0; i < height; i += MR)
            multiplyTile<Format>(packedA + i * groups, packedB + panel * NR * groups, groups, c, row + i, column + panel * NR,
                                 std::min<int64_t>(MR, height - i), std::min<int64_t>(NR, columns - panel * NR), add, bias);
      }
    }
  }
}

}  // namespace

void gemmOnTeam(int64_t m, int64_t n, int64_t k, Matrix a, Matrix b, Result c, Precision precision, int thread,
                const Team& team) {
  if (k == 0 || m == 0 || n == 0) {
    if (thread == 0)
      withNumber(c.bf16, [&](auto number) {
        for (int64_t i = 0; i < m; i++)
          for (int64_t j = 0; j < n; j++) {
            auto* to = static_cast<decltype(number)*>(c.at(i, j));
            storeOne(to, (c.accumulate ? toFloat(*to) : 0.0f) + (c.bias ? c.bias[j] : 0.0f));
          }
      });
    return;
  }
  if (m <= kFewRows && a.columnStride == 1 && b.rowStride == 1 && b.bf16) {
    fewRowsOnTeam(m, n, k, a, b, c, thread, team);
    return;
  }
  if (m <= 4 && a.columnStride == 1 && b.rowStride == 1 && !b.bf16) {
    const Range range = partOf(n, thread, team.threads, 16);
    withNumber(a.bf16, [&](auto left) {
      withNumber(c.bf16, [&](auto out) {
        dotRows<decltype(left), decltype(out)>(m, k, a, b, c, range.begin, range.end);
      });
    });
    return;
  }
#if TILTH_AMX
  if (precision == Precision::bf16) return amxGemmOnTeam(m, n, k, a, b, c, thread, team);
#elif defined(__AVX512BF16__)
  if (precision == Precision::bf16) {
    blockedProduct<Bfloat16Format>(m, n, k, a, b, c, thread, team);
    return;
  }
#endif
  (void)precision;
  if (b.bf16) return storedProductOnTeam(m, n, k, a, b, c, thread, team);
  blockedProduct<SingleFormat>(m, n, k, a, b, c, thread, team);
}

}  // namespace tilth

// out [m, n] = op(a) · op(b) (+ bias [n] in every row, if it is not null); strides in elements. The flags …Bfloat16 tell how a
// matrix lies in memory.
TILTH_EXPORT void tilth_matmul(int threads, void* out, int64_t outStride, int outBfloat16, const void* a, int64_t aStride,
                               int transposeA, int aBfloat16, const void* b, int64_t bStride, int transposeB, int bBfloat16,
                               const float* bias, int64_t m, int64_t n, int64_t k, int accumulate, int precision) {
  using namespace tilth;
  Timer timer;
  const Matrix left(a, transposeA ? 1 : aStride, transposeA ? aStride : 1, aBfloat16 != 0);
  const Matrix right(b, transposeB ? 1 : bStride, transposeB ? bStride : 1, bBfloat16 != 0);
  const Result result(out, outStride, accumulate != 0, outBfloat16 != 0, bias);
  // Below some 10⁵ FLOPs waking the team costs more than it saves.
  const int used = 2 * m * n * k < 200000 ? 1 : threads;
  parallel(used, [&](int thread, const Team& team) {
    gemmOnTeam(m, n, k, left, right, result, precisionOf(precision), thread, team);
  });
}
