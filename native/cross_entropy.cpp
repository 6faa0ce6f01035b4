// Output head and softmax cross-entropy in one. x [tokens, width], weight [vocabulary, width], bias [vocabulary] or null, targets
// i32 [tokens] (negative: ignored), losses [tokens]; optional gradients of Σ losses. Tokens go in blocks whose logits take some 4 MB, or of 512 tokens; inside a
// block the vocabulary goes in chunks, with running maxima and sums, and the gradients come from the same logits.
// Bound: FMA units; 2·tokens·vocabulary·width FLOPs, 6 with gradients. Returns the first bad target's position + 1, or 0.
#include <algorithm>
#include <cmath>

#include "gemm.h"
#include "vector.h"

using namespace tilth;

namespace {

constexpr int64_t kChunk = 2048;                   // columns of logits that are reduced while still in cache
constexpr int64_t kLogitBytes = int64_t{4} << 20;  // of one block of tokens, if that is not less than
constexpr int64_t kBlock = 512;                    // tokens: each block reads and writes the gradient of the whole weight

struct Rows {
  float* maxima;
  float* sums;
  float* targetLogits;
};

// Adds the bias, if there is one, and updates the running maximum and Σ exp of rows [begin, end) with one chunk of logits
// [block, columns].
void reduceChunk(float* logits, const float* bias, int64_t stride, int64_t columns, int64_t firstColumn, const int32_t* targets,
                 const Rows& rows, int64_t begin, int64_t end) {
  for (int64_t i = begin; i < end; i++) {
    float* row = logits + i * stride;
    if (bias)
      for (int64_t j = 0; j < columns; j++) row[j] += bias[j];
    Vector highest = broadcast(-INFINITY);
    int64_t j = 0;
    for (; j + W <= columns; j += W) highest = maximum(highest, load(row + j));
    float next = std::max(rows.maxima[i], maximumOf(highest));
    for (; j < columns; j++) next = std::max(next, row[j]);
    Vector sum = {};
    for (j = 0; j + W <= columns; j += W) sum += exponential(load(row + j) - next);
    if (j < columns) sum += exponential(loadPart(row + j, columns - j, -INFINITY) - next);
    float before = rows.maxima[i] == -INFINITY ? 0.0f : std::exp(rows.maxima[i] - next);
    rows.sums[i] = rows.sums[i] * before + sumOf(sum);
    rows.maxima[i] = next;
    int64_t target = targets[i] - firstColumn;
    if (target >= 0 && target < columns) rows.targetLogits[i] = row[target];
  }
}

// Logits become ∂Σlosses/∂logits: softmax − onehot, and zero where the target is ignored.
void differentiate(float* logits, int64_t stride, int64_t vocabulary, const int32_t* targets, const Rows& rows, int64_t begin,
                   int64_t end) {
  for (int64_t i = begin; i < end; i++) {
    float* row = logits + i * stride;
    if (targets[i] < 0) {
      std::fill(row, row + vocabulary, 0.0f);
      continue;
    }
    const float logSum = rows.maxima[i] + std::log(rows.sums[i]);
    int64_t j = 0;
    for (; j + W <= vocabulary; j += W) store(row + j, exponential(load(row + j) - logSum));
    if (j < vocabulary) storePart(row + j, exponential(loadPart(row + j, vocabulary - j) - logSum), vocabulary - j);
    row[targets[i]] -= 1.0f;
  }
}

}  // namespace

TILTH_EXPORT int64_t tilth_head_cross_entropy(int threads, float* losses, const float* x, const float* weight,
                                              const float* bias, const int32_t* targets, float* xGradient,
                                              float* weightGradient, float* biasGradient, int64_t tokens, int64_t width,
                                              int64_t vocabulary, int precision) {
  Timer timer;
  const Precision number = precisionOf(precision);
  for (int64_t token = 0; token < tokens; token++)
    if (targets[token] >= vocabulary) return token + 1;
  const int64_t stride = (vocabulary + W - 1) / W * W;
  const int64_t block = std::max<int64_t>(1, std::min(tokens, std::max(kBlock, kLogitBytes / 4 / stride)));
  float* logits = static_cast<float*>(scratch(0, 5, block * stride * 4));
  float* reductions = static_cast<float*>(scratch(0, 6, 3 * block * 4));
  if (!logits || !reductions) return -1;
  const Rows rows{reductions, reductions + block, reductions + 2 * block};
  parallel(threads, [&](int thread, const Team& team) {
    for (int64_t first = 0; first < tokens; first += block) {
      const int64_t count = std::min(block, tokens - first);
      const Range mine = partOf(count, thread, team.threads);
      std::fill(rows.maxima + mine.begin, rows.maxima + mine.end, -INFINITY);
      std::fill(rows.sums + mine.begin, rows.sums + mine.end, 0.0f);
      const Matrix hidden{x + first * width, width, 1};
      for (int64_t column = 0; column < vocabulary; column += kChunk) {
        const int64_t columns = std::min(kChunk, vocabulary - column);
        gemmOnTeam(count, columns, width, hidden, {weight + column * width, 1, width}, logits + column, stride, false, number,
                   thread, team);
        team.barrier();
        reduceChunk(logits + column, bias ? bias + column : nullptr, stride, columns, column, targets + first, rows, mine.begin, mine.end);
      }
      for (int64_t i = mine.begin; i < mine.end; i++)
        losses[first + i] =
            targets[first + i] < 0 ? 0.0f : rows.maxima[i] + std::log(rows.sums[i]) - rows.targetLogits[i];
      if (!xGradient) {
        team.barrier();
        continue;
      }
      differentiate(logits, stride, vocabulary, targets + first, rows, mine.begin, mine.end);
      team.barrier();
      gemmOnTeam(count, width, vocabulary, {logits, stride, 1}, {weight, width, 1}, xGradient + first * width, width, false,
                 number, thread, team);
      team.barrier();
      gemmOnTeam(vocabulary, width, count, {logits, 1, stride}, hidden, weightGradient, width, first > 0, number,
                 thread, team);
      if (biasGradient) {
        const Range columns = partOf(vocabulary, thread, team.threads, 16);
        if (first == 0) std::fill(biasGradient + columns.begin, biasGradient + columns.end, 0.0f);
        for (int64_t i = 0; i < count; i++)
          for (int64_t j = columns.begin; j < columns.end; j++) biasGradient[j] += logits[i * stride + j];
      }
      team.barrier();
    }
    if (tokens == 0 && thread == 0 && biasGradient) std::fill(biasGradient, biasGradient + vocabulary, 0.0f);
    if (tokens == 0 && thread == 0 && weightGradient) std::fill(weightGradient, weightGradient + vocabulary * width, 0.0f);
  });
  return 0;
}
