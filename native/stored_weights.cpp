// Weights held in bfloat16 for inference; activations and sums are f32. out [m, n] = a [m, k] · weightᵀ, weight [n, k].
// Up to 16 rows: every weight is read once and widened in registers, bound by memory (2·n·k bytes).
// More rows: blocks of weights are widened into scratch that stays in cache, then multiplied as any matrix, bound by FLOPs.
#include <algorithm>
#include <cstdint>
#include <cstring>

#include "gemm.h"

namespace {

using namespace tilth;

constexpr int64_t kStep = 2 * W;  // bfloat16 values in a vector
constexpr int kScratch = 6;

typedef uint32_t Words __attribute__((vector_size(W * 4)));

inline Words loadWords(const uint16_t* from) {
  Words words;
  std::memcpy(&words, from, sizeof words);
  return words;
}
// A vector of pairs: the even values are the low halves of the words, the odd ones the high halves.
inline Vector evens(Words words) { return reinterpret_cast<Vector>(words << 16); }
inline Vector odds(Words words) { return reinterpret_cast<Vector>(words & 0xFFFF0000u); }

inline Words loadLast(const uint16_t* from, int64_t count) {
  uint16_t part[kStep] = {};
  std::memcpy(part, from, static_cast<size_t>(count) * 2);
  return loadWords(part);
}

// Each step of a row: its even values, then its odd ones; zeros behind the end.
template <typename Number>
void splitPairs(const Number* from, int64_t k, float* to) {
  for (int64_t p = 0; p < k; p += kStep, to += kStep)
    for (int64_t i = 0; i < W; i++) {
      to[i] = p + 2 * i < k ? toFloat(from[p + 2 * i]) : 0.0f;
      to[W + i] = p + 2 * i + 1 < k ? toFloat(from[p + 2 * i + 1]) : 0.0f;
    }
}

// ROWS rows of the weight, from `column` of the result on, by M rows of activations, from `row` on.
template <int ROWS, int M>
void products(int64_t k, const float* pairs, int64_t pairStride, const uint16_t* weight, int64_t weightStride, const Result& c,
              int64_t row, int64_t column) {
  Vector even[ROWS][M] = {}, odd[ROWS][M] = {};
  const int64_t whole = k / kStep * kStep;
  auto step = [&](int64_t p, auto&& wordsOf) {
#pragma GCC unroll 4
    for (int r = 0; r < ROWS; r++) {
      const Words words = wordsOf(weight + r * weightStride + p);
      const Vector low = evens(words), high = odds(words);
#pragma GCC unroll 4
      for (int i = 0; i < M; i++) {
        even[r][i] += low * load(pairs + i * pairStride + p);
        odd[r][i] += high * load(pairs + i * pairStride + p + W);
      }
    }
  };
  for (int64_t p = 0; p < whole; p += kStep) {
    step(p, [](const uint16_t* from) {
      __builtin_prefetch(from + 1024);
      return loadWords(from);
    });
  }
  if (whole < k) step(whole, [&](const uint16_t* from) { return loadLast(from, k - whole); });
  withNumber(c.bf16, [&](auto number) {
    for (int r = 0; r < ROWS; r++)
      for (int i = 0; i < M; i++) {
        auto* to = static_cast<decltype(number)*>(c.at(row + i, column + r));
        const float sum = sumOf(even[r][i] + odd[r][i]) + (c.bias ? c.bias[column + r] : 0.0f);
        storeOne(to, c.accumulate ? toFloat(*to) + sum : sum);
      }
  });
}

template <int M>
void productRows(Range range, int64_t k, const float* pairs, int64_t pairStride, const uint16_t* weight, int64_t weightStride,
                 const Result& c, int64_t row) {
  constexpr int ROWS = M == 1 ? 4 : 2;
  int64_t j = range.begin;
  for (; j + ROWS <= range.end; j += ROWS)
    products<ROWS, M>(k, pairs, pairStride, weight + j * weightStride, weightStride, c, row, j);
  for (; j < range.end; j++) products<1, M>(k, pairs, pairStride, weight + j * weightStride, weightStride, c, row, j);
}

void widen(const uint16_t* from, int64_t count, float* to) {
  for (int64_t i = 0; i < count; i++) {
    uint32_t bits = static_cast<uint32_t>(from[i]) << 16;
    std::memcpy(to + i, &bits, 4);
  }
}

}  // namespace

void tilth::fewRowsOnTeam(int64_t m, int64_t n, int64_t k, const Matrix& a, const Matrix& b, const Result& c, int thread,
                          const Team& team) {
  const auto* weight = static_cast<const uint16_t*>(b.data);
  const int64_t weightStride = b.columnStride, pairStride = (k + kStep - 1) / kStep * kStep;
  float* pairs = static_cast<float*>(scratch(thread, kScratch, m * pairStride * 4));
  withNumber(a.bf16, [&](auto number) {
    for (int64_t i = 0; i < m; i++) splitPairs(static_cast<const decltype(number)*>(a.at(i, 0)), k, pairs + i * pairStride);
  });
  const Range range = partOf(n, thread, team.threads, 16);
  // Blocks of weights that stay in the second-level cache while every group of rows passes over them.
  const int64_t fitting = std::max<int64_t>(4, (128 << 10) / std::max<int64_t>(1, k) / 4 * 4);
  const int64_t block = m <= 4 ? std::max<int64_t>(1, range.end - range.begin) : fitting;
  for (int64_t j = range.begin; j < range.end; j += block) {
    const Range part{j, std::min(range.end, j + block)};
    for (int64_t i = 0; i < m; i += 4) {
      const float* left = pairs + i * pairStride;
      switch (std::min<int64_t>(4, m - i)) {
        case 1: productRows<1>(part, k, left, pairStride, weight, weightStride, c, i); break;
        case 2: productRows<2>(part, k, left, pairStride, weight, weightStride, c, i); break;
        case 3: productRows<3>(part, k, left, pairStride, weight, weightStride, c, i); break;
        default: productRows<4>(part, k, left, pairStride, weight, weightStride, c, i);
      }
    }
  }
}

void tilth::storedProductOnTeam(int64_t m, int64_t n, int64_t k, const Matrix& a, const Matrix& b, const Result& c, int thread,
                                const Team& team) {
  const auto* weight = static_cast<const uint16_t*>(b.data);
  const int64_t weightStride = b.columnStride;
  const int64_t rows = std::max<int64_t>(32, std::min<int64_t>(2048, (1 << 20) / std::max<int64_t>(1, k)) / 32 * 32);
  if (thread == 0) scratch(0, kScratch, rows * k * 4);
  team.barrier();
  float* wide = static_cast<float*>(scratch(0, kScratch, 0));
  for (int64_t j = 0; j < n; j += rows) {
    const int64_t count = std::min(rows, n - j);
    Range mine = partOf(count, thread, team.threads, 8);
    for (int64_t row = mine.begin; row < mine.end; row++) widen(weight + (j + row) * weightStride, k, wide + row * k);
    team.barrier();
    const Result part(c.at(0, j), c.stride, c.accumulate, c.bf16, c.bias ? c.bias + j : nullptr);
    gemmOnTeam(m, count, k, a, Matrix{static_cast<const float*>(wide), 1, k}, part, Precision::f32, thread, team);
    team.barrier();
  }
}

// Rows of a bfloat16 table by id. Returns the first bad id's position + 1, or 0.
TILTH_EXPORT int64_t tilth_stored_embedding(int threads, float* out, const uint16_t* table, const int32_t* ids,
                                            int64_t tokens, int64_t width, int64_t vocabulary) {
  Timer timer;
  for (int64_t token = 0; token < tokens; token++)
    if (ids[token] < 0 || ids[token] >= vocabulary) return token + 1;
  parallelFor(threads, tokens, 64, [&](int64_t begin, int64_t end) {
    for (int64_t token = begin; token < end; token++) widen(table + ids[token] * width, width, out + token * width);
  });
  return 0;
}

// From host f32 into bfloat16, rounded to nearest even.
TILTH_EXPORT void tilth_store_weights(int threads, uint16_t* to, const float* from, int64_t count) {
  parallelFor(threads, count, 16384, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i++) {
      uint32_t bits;
      std::memcpy(&bits, from + i, 4);
      const bool notANumber = (bits & 0x7FFFFFFFu) > 0x7F800000u;
      to[i] = static_cast<uint16_t>(notANumber ? (bits >> 16) | 0x40 : (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
    }
  });
}
