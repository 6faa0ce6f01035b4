// Contrastive losses over a batch of pairs: CLIP's symmetric InfoNCE (Radford et al. 2021) and SigLIP's sigmoid loss (Zhai et al.
// 2023). images, texts [pairs, width]; logit (i, j) = e^logitScale · images[i] · texts[j] (+ logitBias). Rows of logits go in
// blocks of some 16 MB, so that no [pairs, pairs] matrix is held beyond that; with more than one block the logits are computed
// again for the gradients. Bound: FMA units; 2·pairs²·width FLOPs, 6 with gradients (8 beyond one block).
#include <algorithm>
#include <cmath>

#include "gemm.h"
#include "vector.h"

using namespace tilth;

namespace {

constexpr int64_t kLogitBytes = int64_t{16} << 20;

// Σ exp as it grows: exp(maximum) · sum. One for every row, one for every column.
struct Sums {
  float* maxima;
  float* sums;
  float logOf(int64_t i) const { return maxima[i] + std::log(sums[i]); }
};

void scaleRow(float* row, int64_t count, float scale, float bias) {
  int64_t j = 0;
  for (; j + W <= count; j += W) store(row + j, load(row + j) * scale + bias);
  for (; j < count; j++) row[j] = row[j] * scale + bias;
}

void reduceRow(const float* row, int64_t count, const Sums& rows, int64_t i) {
  Vector highest = broadcast(-INFINITY);
  int64_t j = 0;
  for (; j + W <= count; j += W) highest = maximum(highest, load(row + j));
  if (j < count) highest = maximum(highest, loadPart(row + j, count - j, -INFINITY));
  const float top = maximumOf(highest);
  Vector sum = {};
  for (j = 0; j + W <= count; j += W) sum += exponential(load(row + j) - top);
  if (j < count) sum += exponential(loadPart(row + j, count - j, -INFINITY) - top);
  rows.maxima[i] = top;
  rows.sums[i] = sumOf(sum);
}

// Columns [begin, end), begin a multiple of W, over `count` rows of a block; columns past the end are the row's padding.
void reduceColumns(const float* logits, int64_t stride, int64_t count, const Sums& columns, int64_t begin, int64_t end) {
  for (int64_t j = begin; j < end; j += W) {
    Vector top = load(columns.maxima + j), sum = load(columns.sums + j);
    Vector next = top;
    for (int64_t i = 0; i < count; i++) next = maximum(next, load(logits + i * stride + j));
    sum *= exponential(top - next);
    for (int64_t i = 0; i < count; i++) sum += exponential(load(logits + i * stride + j) - next);
    store(columns.maxima + j, next);
    store(columns.sums + j, sum);
  }
}

// What a row gives to the loss, to the gradient of logitScale and to that of logitBias.
struct Totals {
  double loss, scale, bias;
};

// Logits of row i become their gradients, times e^logitScale.
Totals softmaxRow(float* row, int64_t pairs, int64_t i, const Sums& rows, const Sums& columns, float scale, bool gradients) {
  const float rowLog = rows.logOf(i), diagonal = row[i];
  Totals totals{(static_cast<double>(rowLog) + columns.logOf(i) - 2.0 * diagonal) / (2.0 * static_cast<double>(pairs)), 0, 0};
  if (!gradients) return totals;
  const float share = 0.5f / static_cast<float>(pairs);
  Vector products = {};
  for (int64_t j = 0; j < pairs; j += W) {
    const int64_t count = std::min<int64_t>(W, pairs - j);
    const Vector logit = count == W ? load(row + j) : loadPart(row + j, count, -INFINITY);
    const Vector columnLog = count == W ? load(columns.maxima + j) : loadPart(columns.maxima + j, count);
    const Vector columnSum = count == W ? load(columns.sums + j) : loadPart(columns.sums + j, count, 1.0f);
    const Vector change = (exponential(logit - rowLog) + exponential(logit - columnLog) / columnSum) * share;
    // A padded lane has probability 0, and 0 · −∞ would be no number.
    products += change * (count == W ? logit : loadPart(row + j, count, 0.0f));
    if (count == W) store(row + j, change * scale);
    else storePart(row + j, change * scale, count);
  }
  row[i] -= 2.0f * share * scale;
  totals.scale = sumOf(products) - 2.0f * share * diagonal;
  return totals;
}

// −log σ(z · logit) with z = 1 for the pair, −1 for all others, summed over the row and divided by the number of pairs.
Totals sigmoidRow(float* row, int64_t pairs, int64_t i, float scale, float bias, bool gradients) {
  Totals totals{0, 0, 0};
  const double share = 1.0 / static_cast<double>(pairs);
  for (int64_t j = 0; j < pairs; j++) {
    const double sign = i == j ? 1 : -1, margin = sign * row[j];
    const double tail = std::exp(-std::fabs(margin));
    totals.loss += share * (std::max(-margin, 0.0) + std::log1p(tail));
    if (!gradients) continue;
    const double change = -sign * share * (margin >= 0 ? tail / (1 + tail) : 1 / (1 + tail));
    totals.scale += change * (row[j] - bias);
    totals.bias += change;
    row[j] = static_cast<float>(change * scale);
  }
  return totals;
}

}  // namespace

// logitBias is null for the softmax loss. The four gradients (of the loss; logitBias' only where there is a bias) are given
// together or not at all. Returns −1 where there is no memory, else 0.
TILTH_EXPORT int64_t tilth_contrastive_loss(int threads, float* loss, const float* images, const float* texts,
                                            const float* logitScale, const float* logitBias, float* imagesGradient,
                                            float* textsGradient, float* logitScaleGradient, float* logitBiasGradient,
                                            int64_t pairs, int64_t width, int precision) {
  Timer timer;
  const Precision number = precisionOf(precision);
  const float scale = std::exp(*logitScale), bias = logitBias ? *logitBias : 0.0f;
  const bool softmax = !logitBias, gradients = imagesGradient != nullptr;
  const int64_t stride = (pairs + W - 1) / W * W;
  const int64_t block = std::max<int64_t>(1, std::min(pairs, kLogitBytes / 4 / std::max<int64_t>(1, stride)));
  float* logits = static_cast<float*>(scratch(0, 5, block * stride * 4));
  float* reductions = static_cast<float*>(scratch(0, 6, (2 * stride + 2 * pairs) * 4 + pairs * static_cast<int64_t>(sizeof(Totals)) + 64));
  if (!logits || !reductions) return -1;
  const Sums columns{reductions, reductions + stride}, rows{reductions + 2 * stride, reductions + 2 * stride + pairs};
  Totals* totals = reinterpret_cast<Totals*>((reinterpret_cast<uintptr_t>(rows.sums + pairs) + 15) / 16 * 16);
  parallel(threads, [&](int thread, const Team& team) {
    const Range mine = partOf(stride, thread, team.threads, W);
    std::fill(columns.maxima + mine.begin, columns.maxima + mine.end, -1e30f);
    std::fill(columns.sums + mine.begin, columns.sums + mine.end, 0.0f);
    auto logitsOf = [&](int64_t first, int64_t count) {
      gemmOnTeam(count, pairs, width, {images + first * width, width, 1}, {texts, 1, width}, logits, stride, false, number,
                 thread, team);
      team.barrier();
      const Range part = partOf(count, thread, team.threads);
      for (int64_t i = part.begin; i < part.end; i++) {
        scaleRow(logits + i * stride, pairs, scale, bias);
        std::fill(logits + i * stride + pairs, logits + (i + 1) * stride, 0.0f);
      }
    };
    // The columns' sums are known only after the last row.
    if (softmax)
      for (int64_t first = 0; first < pairs; first += block) {
        const int64_t count = std::min(block, pairs - first);
        logitsOf(first, count);
        const Range part = partOf(count, thread, team.threads);
        for (int64_t i = part.begin; i < part.end; i++) reduceRow(logits + i * stride, pairs, rows, first + i);
        team.barrier();
        reduceColumns(logits, stride, count, columns, mine.begin, mine.end);
        team.barrier();
      }
    for (int64_t first = 0; first < pairs; first += block) {
      const int64_t count = std::min(block, pairs - first);
      if (!softmax || block < pairs) logitsOf(first, count);
      const Range part = partOf(count, thread, team.threads);
      for (int64_t i = part.begin; i < part.end; i++) {
        float* row = logits + i * stride;
        totals[first + i] = softmax ? softmaxRow(row, pairs, first + i, rows, columns, scale, gradients)
                                    : sigmoidRow(row, pairs, first + i, scale, bias, gradients);
      }
      team.barrier();
      if (gradients) {
        gemmOnTeam(count, width, pairs, {logits, stride, 1}, {texts, width, 1}, imagesGradient + first * width, width, false,
                   number, thread, team);
        team.barrier();
        gemmOnTeam(pairs, width, count, {logits, 1, stride}, {images + first * width, width, 1}, textsGradient, width,
                   first > 0, number, thread, team);
        team.barrier();
      }
    }
  });
  Totals sum{0, 0, 0};
  for (int64_t i = 0; i < pairs; i++) sum = {sum.loss + totals[i].loss, sum.scale + totals[i].scale, sum.bias + totals[i].bias};
  *loss = static_cast<float>(sum.loss);
  if (gradients) *logitScaleGradient = static_cast<float>(sum.scale);
  if (gradients && logitBias) *logitBiasGradient = static_cast<float>(sum.bias);
  return 0;
}
