// Output head and softmax cross-entropy in one. x [tokens, width] f32 or bf16, weight [vocabulary, width], bias [vocabulary] or
// null, targets i32 [tokens] (negative: ignored), losses [tokens]; optional gradients of scale · Σ losses: xGradient (overwritten), weightGradient
// (overwritten or added to) and biasGradient (added to), all f32. Each counted loss gets zLoss · logsumexp². gaps [tokens] or null: how far
// the target's logit lies below the highest.
// Tokens go in blocks, inside a block the vocabulary in chunks whose logits stay in cache. A chunk leaves exp(logit − the chunk's
// maximum) behind, in bf16 where products are; one more pass makes gradients of it, so that exponentials are computed once.
// Bound: FMA units; 2·tokens·vocabulary·width FLOPs, 6 with gradients. Returns the first bad target's position + 1, or 0.
#include <algorithm>
#include <cmath>

#include "gemm.h"

using namespace tilth;

namespace {

constexpr int64_t kChunk = 1024;  // columns of logits
// Each block of tokens reads and writes the gradient of the whole weight, and reads the weight twice: 1024 tokens, unless
// the block then takes too much memory; more where a block is small.
constexpr int64_t kBlock = 1024, kLeastBytes = int64_t{8} << 20, kMostBytes = int64_t{128} << 20;

int64_t blockOf(int64_t tokens, int64_t rowBytes) {
  const int64_t wanted = std::max<int64_t>({1, std::min(kBlock, kMostBytes / rowBytes), kLeastBytes / rowBytes});
  const int64_t blocks = std::max<int64_t>(1, (tokens + wanted - 1) / wanted);
  return std::max<int64_t>(1, (tokens + blocks - 1) / blocks);
}

// What is known of the rows of a block. `chunkMaxima` has one number a row and chunk.
struct Rows {
  float *maxima, *sums, *targetLogits, *chunkMaxima;
  int64_t chunks;
  float logSum(int64_t i) const { return maxima[i] + std::log(sums[i]); }
};

// Adds the chunk's bias, if there is one, and updates maximum, Σ exp and target of a row with a chunk of its logits; exp(logit − the chunk's maximum) goes to `shares`,
// if they are wanted.
template <typename Number>
void reduceChunk(float* logits, const float* bias, int64_t columns, int64_t chunk, int32_t target, const Rows& rows, int64_t i,
                 Number* shares) {
  if (bias)
    for (int64_t j = 0; j < columns; j++) logits[j] += bias[j];
  Vector highest = broadcast(-INFINITY);
  int64_t j = 0;
  for (; j + W <= columns; j += W) highest = maximum(highest, load(logits + j));
  float top = maximumOf(highest);
  for (; j < columns; j++) top = std::max(top, logits[j]);
  Vector sum = {};
  for (j = 0; j + W <= columns; j += W) {
    const Vector share = exponential(load(logits + j) - top);
    sum += share;
    if (shares) store(shares + j, share);
  }
  if (j < columns) {
    const Vector share = exponential(loadPart(logits + j, columns - j, -INFINITY) - top);
    sum += share;
    if (shares) storePart(shares + j, share, columns - j);
  }
  const float next = std::max(rows.maxima[i], top);
  const float before = rows.maxima[i] == -INFINITY ? 0.0f : std::exp(rows.maxima[i] - next);
  rows.sums[i] = rows.sums[i] * before + sumOf(sum) * std::exp(top - next);
  rows.maxima[i] = next;
  rows.chunkMaxima[i * rows.chunks + chunk] = top;
  const int64_t column = target - chunk * kChunk;
  if (column >= 0 && column < columns) rows.targetLogits[i] = logits[column];
}

// A row of shares becomes scale · (softmax · (1 + 2 · zLoss · logsumexp) − onehot), or zero where the target is ignored. The target's own number is
// computed in f32: it is a small difference where the model is sure.
template <typename Number>
void differentiate(Number* shares, int64_t vocabulary, int32_t target, const Rows& rows, int64_t i, float scale, float zLoss) {
  if (target < 0) {
    std::fill(shares, shares + vocabulary, Number{});
    return;
  }
  const float logSum = rows.logSum(i), penalty = 1.0f + 2.0f * zLoss * logSum;
  for (int64_t chunk = 0; chunk < rows.chunks; chunk++) {
    const float factor = std::exp(rows.chunkMaxima[i * rows.chunks + chunk] - logSum) * penalty * scale;
    Number* to = shares + chunk * kChunk;
    const int64_t columns = std::min(kChunk, vocabulary - chunk * kChunk);
    int64_t j = 0;
    for (; j + W <= columns; j += W) store(to + j, load(to + j) * factor);
    for (; j < columns; j++) storeOne(to + j, toFloat(to[j]) * factor);
  }
  storeOne(shares + target, scale * (std::exp(rows.targetLogits[i] - logSum) * penalty - 1.0f));
}

struct Head {
  float *losses, *gaps;
  Matrix x;
  const float *weight, *bias;
  const int32_t* targets;
  float *xGradient, *weightGradient, *biasGradient;
  int64_t tokens, width, vocabulary;
  float scale, zLoss;
  bool accumulate;
  Precision precision;
};

// False without memory for a block.
template <typename Number>
bool run(int threads, const Head& head) {
  const int64_t width = head.width, vocabulary = head.vocabulary, chunks = (vocabulary + kChunk - 1) / kChunk;
  const int64_t stride = (vocabulary + W - 1) / W * W, block = blockOf(head.tokens, stride * sizeof(Number));
  const int64_t logitStride = std::min(kChunk, stride);
  float* logits = static_cast<float*>(scratch(0, 5, block * logitStride * 4));
  float* reductions = static_cast<float*>(scratch(0, 6, (3 + chunks) * block * 4));
  Number* shares = head.xGradient ? static_cast<Number*>(scratch(0, 7, block * stride * sizeof(Number))) : nullptr;
  if (!logits || !reductions || (head.xGradient && !shares)) return false;
  const Rows rows{reductions, reductions + block, reductions + 2 * block, reductions + 3 * block, chunks};
  parallel(threads, [&](int thread, const Team& team) {
    for (int64_t first = 0; first < head.tokens; first += block) {
      const int64_t count = std::min(block, head.tokens - first);
      const int32_t* targets = head.targets + first;
      const Range mine = partOf(count, thread, team.threads);
      std::fill(rows.maxima + mine.begin, rows.maxima + mine.end, -INFINITY);
      std::fill(rows.sums + mine.begin, rows.sums + mine.end, 0.0f);
      const Matrix hidden(head.x.at(first, 0), width, 1, head.x.bf16);
      for (int64_t chunk = 0; chunk < chunks; chunk++) {
        const int64_t column = chunk * kChunk, columns = std::min(kChunk, vocabulary - column);
        gemmOnTeam(count, columns, width, hidden, {head.weight + column * width, 1, width}, {logits, logitStride, false},
                   head.precision, thread, team);
        team.barrier();
        for (int64_t i = mine.begin; i < mine.end; i++)
          reduceChunk(logits + i * logitStride, head.bias ? head.bias + column : nullptr, columns, chunk, targets[i], rows, i,
                      shares ? shares + i * stride + column : nullptr);
        team.barrier();
      }
      for (int64_t i = mine.begin; i < mine.end; i++)
        head.losses[first + i] =
            targets[i] < 0 ? 0.0f : rows.logSum(i) - rows.targetLogits[i] + head.zLoss * rows.logSum(i) * rows.logSum(i);
      if (head.gaps)
        for (int64_t i = mine.begin; i < mine.end; i++)
          head.gaps[first + i] = targets[i] < 0 ? 0.0f : rows.maxima[i] - rows.targetLogits[i];
      if (!shares) {
        // A shorter last block shares out its rows in another way: none may be reset while its loss is still computed.
        team.barrier();
        continue;
      }
      for (int64_t i = mine.begin; i < mine.end; i++)
        differentiate(shares + i * stride, vocabulary, targets[i], rows, i, head.scale, head.zLoss);
      team.barrier();
      gemmOnTeam(count, width, vocabulary, {shares, stride, 1}, {head.weight, width, 1},
                 {head.xGradient + first * width, width, false}, head.precision, thread, team);
      team.barrier();
      gemmOnTeam(vocabulary, width, count, {shares, 1, stride}, hidden,
                 {head.weightGradient, width, head.accumulate || first > 0}, head.precision, thread, team);
      if (head.biasGradient) {
        const Range columns = partOf(vocabulary, thread, team.threads, 16);
        for (int64_t i = 0; i < count; i++)
          for (int64_t j = columns.begin; j < columns.end; j++) head.biasGradient[j] += toFloat(shares[i * stride + j]);
      }
      team.barrier();
    }
    if (head.tokens == 0 && thread == 0 && head.weightGradient && !head.accumulate)
      std::fill(head.weightGradient, head.weightGradient + vocabulary * width, 0.0f);
  });
  return true;
}

}  // namespace

TILTH_EXPORT int64_t tilth_head_cross_entropy(int threads, float* losses, float* gaps, const void* x, int xBfloat16, const float* weight,
                                              const float* bias, const int32_t* targets, float* xGradient,
                                              float* weightGradient, float* biasGradient, int64_t tokens, int64_t width,
                                              int64_t vocabulary, float scale, float zLoss, int accumulate, int precision) {
  Timer timer;
  for (int64_t token = 0; token < tokens; token++)
    if (targets[token] >= vocabulary) return token + 1;
  const Head head{losses, gaps, {x, width, 1, xBfloat16 != 0}, weight, bias, targets, xGradient, weightGradient, biasGradient, tokens, width, vocabulary,
                  scale,  zLoss, accumulate != 0, precisionOf(precision)};
#if defined(__AVX512BF16__)
  if (head.precision == Precision::bf16) return run<Bfloat16>(threads, head) ? 0 : -1;
#endif
  return run<float>(threads, head) ? 0 : -1;
}
