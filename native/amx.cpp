// Matrix product on AMX's tiles: operands rounded to bf16, sums in f32. As gemm.cpp: B is packed into panels of 32 columns that
// the team shares, A into panels of 32 rows, each block of 16 rows × 16 cells contiguous; k is filled up with zeros to whole
// steps of 32. Bound: the tile unit, 1,024 multiply-adds a cycle; four loads of 1 KB for four products.
#include "amx.h"

#if TILTH_AMX
#include <algorithm>

#include "bf16.h"
#include "gemm.h"
#include "vector.h"

namespace tilth {
namespace {

constexpr int64_t kSide = 32;         // of a block of C: 2 × 2 tiles
constexpr int64_t kStep = 32;         // of k in one product of tiles
constexpr int64_t kCells = kStep / 2;  // of a row in that
constexpr int64_t kDepth = 512;       // of k in a block: a panel is 32 KB
constexpr int64_t kLeftFloats = (512 << 10) / 4;  // of packed A, in L2
constexpr int64_t kRightFloats = (2 << 20) / 4;   // of packed B, shared

int64_t wholeSteps(int64_t depth) { return (depth + kStep - 1) / kStep; }

// A row of A or a column of B: where its first number lies, and how far the next of it and the next of k are.
template <typename Number>
struct Lanes {
  const Number* first;
  int64_t laneStride, stepStride, count;
};

// Columns of B as steps · 16 rows of 32 cells; what is missing is zero.
template <typename Number>
void packColumns(const Lanes<Number>& from, int64_t depth, float* to) {
  packCells(from.first, from.laneStride, from.stepStride, from.count, depth, kSide, to);
  std::fill(to + (depth + 1) / 2 * kSide, to + wholeSteps(depth) * kCells * kSide, 0.0f);
}

// Rows of A as [step][row][16 cells]; what is missing is zero. `work` holds one step.
template <typename Number>
void packRows(const Lanes<Number>& from, int64_t depth, float* to, float* work) {
  for (int64_t step = 0; step < wholeSteps(depth); step++, to += kSide * kCells) {
    const int64_t count = std::min(kStep, depth - step * kStep);
    const Number* first = from.first + step * kStep * from.stepStride;
    if (count == kStep && from.stepStride == 1) {
      for (int64_t row = 0; row < kSide; row++)
        if (row < from.count) rowCells(first + row * from.laneStride, kStep, to + row * kCells);
        else std::fill(to + row * kCells, to + (row + 1) * kCells, 0.0f);
      continue;
    }
    packColumns(Lanes<Number>{first, from.laneStride, from.stepStride, from.count}, count, work);
    for (int64_t group = 0; group < kCells; group += 8)
      for (int64_t row = 0; row < kSide; row += 8) {
        const float* rows[8];
        for (int i = 0; i < 8; i++) rows[i] = work + (group + i) * kSide + row;
        transposeEight(rows, to + row * kCells + group, kCells);
      }
  }
}

// Sums beside C into C, which may be bf16.
template <typename Number>
void finishBlock(const float* block, Number* c, int64_t cStride, int64_t rows, int64_t columns, bool add, const float* bias) {
  for (int64_t i = 0; i < rows; i++)
    for (int64_t j = 0; j < columns; j += W) {
      Number* to = c + i * cStride + j;
      const int64_t count = std::min<int64_t>(W, columns - j);
      Vector sums = load(block + i * kSide + j);
      if (bias) sums += count == W ? load(bias + j) : loadPart(bias + j, count);
      if (add) sums += count == W ? load(to) : loadPart(to, count);
      if (count == W) store(to, sums);
      else storePart(to, sums, count);
    }
}

// A block of C, at most 32 × 32. Where it is cut off, in bf16 or has a bias, whole tiles are summed beside it.
void multiplyBlock(const float* a, const float* b, int64_t steps, const Result& c, int64_t row, int64_t column, int64_t rows,
                   int64_t columns, bool add, const float* bias) {
  const TileRows left{a, kCells, 16 * kCells, kSide * kCells};
  const bool twoRows = rows > 16, twoColumns = columns > 16;
  void* to = c.at(row, column);
  if (!c.bf16 && !bias && rows % 16 == 0 && columns % 16 == 0) {
    tileBlock(twoRows, twoColumns, steps, left, b, kSide, static_cast<float*>(to), c.stride, add);
    return;
  }
  alignas(64) float block[kSide * kSide];
  tileBlock(twoRows, twoColumns, steps, left, b, kSide, block, kSide, false);
  withNumber(c.bf16, [&](auto number) {
    finishBlock(block, static_cast<decltype(number)*>(to), c.stride, rows, columns, add,
                bias ? bias + column : nullptr);
  });
}

void prefetchBlock(const Result& c, int64_t row, int64_t column, int64_t rows, int64_t columns) {
  for (int64_t i = 0; i < rows; i++)
    for (int64_t j = 0; j < columns; j += c.bf16 ? 32 : 16) __builtin_prefetch(c.at(row + i, column + j), 1);
}

}  // namespace

void amxGemmOnTeam(int64_t m, int64_t n, int64_t k, const Matrix& a, const Matrix& b, const Result& c, int thread,
                   const Team& team) {
  const TileScope tiles;
  const bool byRows = team.threads == 1 || m >= 2 * kSide * team.threads;
  const Range rows = byRows ? partOf(m, thread, team.threads, kSide) : Range{0, m};
  const Range all = byRows ? Range{0, n} : partOf(n, thread, team.threads, kSide);
  // A result in bf16 is rounded once, so all of k is one block.
  const int64_t depthMost = c.bf16 ? k : std::min(k, kDepth), panelMost = wholeSteps(depthMost) * kCells * kSide;
  const int64_t heightMost = std::max<int64_t>(1, kLeftFloats / panelMost) * kSide;
  const int64_t widthMost = std::max<int64_t>(1, kRightFloats / panelMost) * kSide;
  const int64_t bufferFloats = (std::min(n, widthMost) + kSide - 1) / kSide * panelMost;
  const int64_t leftFloats = (std::min(m, heightMost) + kSide - 1) / kSide * panelMost;
  float* packedA = static_cast<float*>(scratch(thread, 1, (leftFloats + kSide * kCells) * 4));
  float* work = packedA + leftFloats;
  if (!byRows || thread == 0) scratch(thread, 0, 2 * bufferFloats * 4);
  if (byRows) team.barrier();  // thread 0 may have grown the shared buffer
  float* shared = static_cast<float*>(scratch(byRows ? 0 : thread, 0, 0));
  int turn = 0;
  for (int64_t column = all.begin; column < all.end; column += widthMost) {
    const int64_t columns = std::min(widthMost, all.end - column), panels = (columns + kSide - 1) / kSide;
    for (int64_t step = 0; step < k; step += depthMost, turn ^= 1) {
      const int64_t depth = std::min(depthMost, k - step), steps = wholeSteps(depth), panel = steps * kCells * kSide;
      float* packedB = shared + turn * bufferFloats;
      const Range mine = byRows ? partOf(panels, thread, team.threads) : Range{0, panels};
      withNumber(b.bf16, [&](auto number) {
        for (int64_t j = mine.begin; j < mine.end; j++)
          packColumns(Lanes<decltype(number)>{static_cast<const decltype(number)*>(b.at(step, column + j * kSide)),
                                              b.columnStride, b.rowStride, std::min(kSide, columns - j * kSide)},
                      depth, packedB + j * panel);
      });
      if (byRows) team.barrier();
      const bool add = c.accumulate || step > 0;
      const float* bias = step == 0 ? c.bias : nullptr;
      for (int64_t row = rows.begin; row < rows.end; row += heightMost) {
        const int64_t height = std::min(heightMost, rows.end - row);
        withNumber(a.bf16, [&](auto number) {
          for (int64_t i = 0; i < height; i += kSide)
            packRows(Lanes<decltype(number)>{static_cast<const decltype(number)*>(a.at(row + i, step)), a.rowStride,
                                             a.columnStride, std::min(kSide, height - i)},
                     depth, packedA + i / kSide * panel, work);
        });
        for (int64_t j = 0; j < columns; j += kSide)
          for (int64_t i = 0; i < height; i += kSide) {
            const int64_t left = height - i - kSide, across = std::min(kSide, columns - j);
            // The block that comes next, while this one is multiplied.
            if (left > 0) prefetchBlock(c, row + i + kSide, column + j, std::min(kSide, left), across);
            multiplyBlock(packedA + i / kSide * panel, packedB + j / kSide * panel, steps, c, row + i, column + j,
                          std::min(kSide, height - i), across, add, bias);
          }
      }
    }
  }
}

}  // namespace tilth
#endif
