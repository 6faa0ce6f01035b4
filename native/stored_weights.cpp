// Weights held in bfloat16 for inference; activations and sums are f32. out [m, n] = a [m, k] · weightᵀ, weight [n, k].
// Up to 16 rows: every weight is read once and widened in registers, bound by memory (2·n·k bytes).
// More rows: blocks of weights are widened into scratch that stays in cache, then multiplied as any matrix, bound by FLOPs.
#include <algorithm>
#include <cstdint>
#include <cstring>

#include "gemm.h"
#include "pool.h"
#include "vector.h"

namespace {

using namespace tilth;

constexpr int64_t kStep = 2 * W;  // bfloat16 values in a vector
constexpr int64_t kFewRows = 16;
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
void splitPairs(const float* from, int64_t k, float* to) {
  for (int64_t p = 0; p < k; p += kStep, to += kStep)
    for (int64_t i = 0; i < W; i++) {
      to[i] = p + 2 * i < k ? from[p + 2 * i] : 0.0f;
      to[W + i] = p + 2 * i + 1 < k ? from[p + 2 * i + 1] : 0.0f;
    }
}

// ROWS rows of the weight by M rows of activations.
template <int ROWS, int M>
void products(int64_t k, const float* pairs, int64_t pairStride, const uint16_t* weight, int64_t weightStride, float* out,
              int64_t outStride) {
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
  for (int r = 0; r < ROWS; r++)
    for (int i = 0; i < M; i++) out[i * outStride + r] = sumOf(even[r][i] + odd[r][i]);
}

template <int M>
void productRows(Range range, int64_t k, const float* pairs, int64_t pairStride, const uint16_t* weight, int64_t weightStride,
                 float* out, int64_t outStride) {
  constexpr int ROWS = M == 1 ? 4 : 2;
  int64_t j = range.begin;
  for (; j + ROWS <= range.end; j += ROWS)
    products<ROWS, M>(k, pairs, pairStride, weight + j * weightStride, weightStride, out + j, outStride);
  for (; j < range.end; j++) products<1, M>(k, pairs, pairStride, weight + j * weightStride, weightStride, out + j, outStride);
}

void widen(const uint16_t* from, int64_t count, float* to) {
  for (int64_t i = 0; i < count; i++) {
    uint32_t bits = static_cast<uint32_t>(from[i]) << 16;
    std::memcpy(to + i, &bits, 4);
  }
}

void fewRows(int64_t m, int64_t n, int64_t k, const float* a, int64_t aStride, const uint16_t* weight, int64_t weightStride,
             float* out, int64_t outStride, int thread, const Team& team) {
  const int64_t pairStride = (k + kStep - 1) / kStep * kStep;
  float* pairs = static_cast<float*>(scratch(thread, kScratch, m * pairStride * 4));
  for (int64_t i = 0; i < m; i++) splitPairs(a + i * aStride, k, pairs + i * pairStride);
  Range range = partOf(n, thread, team.threads, 16);
  // Blocks of weights that stay in the second-level cache while every group of rows passes over them.
  const int64_t block = std::max<int64_t>(4, (128 << 10) / std::max<int64_t>(1, k) / 4 * 4);
  for (int64_t j = range.begin; j < range.end; j += block) {
    Range part{j, std::min(range.end, j + (m <= 4 ? range.end - j : block))};
    for (int64_t i = 0; i < m; i += 4) {
      const float* left = pairs + i * pairStride;
      float* to = out + i * outStride;
      switch (std::min<int64_t>(4, m - i)) {
        case 1: productRows<1>(part, k, left, pairStride, weight, weightStride, to, outStride); break;
        case 2: productRows<2>(part, k, left, pairStride, weight, weightStride, to, outStride); break;
        case 3: productRows<3>(part, k, left, pairStride, weight, weightStride, to, outStride); break;
        default: productRows<4>(part, k, left, pairStride, weight, weightStride, to, outStride);
      }
    }
    if (m <= 4) break;
  }
}

void manyRows(int64_t m, int64_t n, int64_t k, const float* a, int64_t aStride, const uint16_t* weight, int64_t weightStride,
              float* out, int64_t outStride, Precision precision, int thread, const Team& team) {
  const int64_t rows = std::max<int64_t>(32, std::min<int64_t>(2048, (1 << 20) / std::max<int64_t>(1, k)) / 32 * 32);
  if (thread == 0) scratch(0, kScratch, rows * k * 4);
  team.barrier();
  float* wide = static_cast<float*>(scratch(0, kScratch, 0));
  for (int64_t j = 0; j < n; j += rows) {
    const int64_t count = std::min(rows, n - j);
    Range mine = partOf(count, thread, team.threads, 8);
    for (int64_t row = mine.begin; row < mine.end; row++) widen(weight + (j + row) * weightStride, k, wide + row * k);
    team.barrier();
    gemmOnTeam(m, count, k, Matrix{a, aStride, 1}, Matrix{static_cast<const float*>(wide), 1, k}, out + j, outStride, false, precision, thread, team);
    team.barrier();
  }
}

}  // namespace

TILTH_EXPORT void tilth_stored_product(int threads, float* out, int64_t outStride, const float* a, int64_t aStride,
                                       const uint16_t* weight, int64_t weightStride, int64_t m, int64_t n, int64_t k,
                                       int precision) {
  Timer timer;
  parallel(2 * m * n * k < 200000 ? 1 : threads, [&](int thread, const Team& team) {
    if (m <= kFewRows)
      fewRows(m, n, k, a, aStride, weight, weightStride, out, outStride, thread, team);
    else
      manyRows(m, n, k, a, aStride, weight, weightStride, out, outStride, precisionOf(precision), thread, team);
  });
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
