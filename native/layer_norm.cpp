// Layer norm with the residual addition in front of it (Ba et al. 2016), and its gradient. x, delta, sum, out [rows, width],
// weight, bias [width], mean, inverseDeviation [rows]. x and sum are f32; out, delta and gradient f32 or bf16. Every matrix is read
// or written once from memory, a row's second and third reading come from the L1 cache: bound by memory.
#include <algorithm>
#include <cmath>

#include "bfloat16.h"
#include "pool.h"

using namespace tilth;

namespace {

constexpr int64_t kRows = 16;  // rows below which a thread is not worth waking

// Σ term(i) over a row, in a fixed order: vectors in two lanes of sums, then what is left.
template <typename VectorTerm, typename Term>
float sumOver(int64_t width, VectorTerm&& vectorTerm, Term&& term) {
  Vector sums[2] = {};
  int64_t i = 0;
  for (; i + 2 * W <= width; i += 2 * W)
    for (int v = 0; v < 2; v++) sums[v] += vectorTerm(i + v * W);
  float tail = 0.0f;
  for (; i < width; i++) tail += term(i);
  return sumOf(sums[0] + sums[1]) + tail;
}

// `sum` is null where there is no delta; it may be x.
template <typename Out, typename Delta>
void normalizeRow(Out* out, float& mean, float& inverseDeviation, const float* x, const float* weight, const float* bias,
                  const Delta* delta, float* sum, int64_t width, float epsilon) {
  const float share = 1.0f / static_cast<float>(width);
  int64_t i = 0;
  if (sum) {
    for (; i + W <= width; i += W) store(sum + i, load(x + i) + load(delta + i));
    for (; i < width; i++) sum[i] = x[i] + toFloat(delta[i]);
  }
  const float* s = sum ? sum : x;
  const float middle = share * sumOver(width, [&](int64_t at) { return load(s + at); }, [&](int64_t at) { return s[at]; });
  const float squares = sumOver(
      width,
      [&](int64_t at) {
        const Vector away = load(s + at) - middle;
        return away * away;
      },
      [&](int64_t at) { return (s[at] - middle) * (s[at] - middle); });
  const float inverse = 1.0f / std::sqrt(squares * share + epsilon);
  mean = middle;
  inverseDeviation = inverse;
  for (i = 0; i + W <= width; i += W) store(out + i, (load(s + i) - middle) * inverse * load(weight + i) + load(bias + i));
  for (; i < width; i++) storeOne(out + i, (s[i] - middle) * inverse * weight[i] + bias[i]);
}

// One row of the gradient; `sums` gathers the weight's and, behind them, the bias's.
template <typename Number>
void differentiateRow(float* to, float* sums, const Number* g, const float* s, const float* weight, float middle, float inverse,
                      const float* past, int64_t width) {
  const float share = 1.0f / static_cast<float>(width);
  float* biasSums = sums + width;
  Vector total[2] = {}, projected[2] = {};
  int64_t i = 0;
  for (; i + 2 * W <= width; i += 2 * W)
    for (int v = 0; v < 2; v++) {
      const int64_t at = i + v * W;
      const Vector upstream = load(g + at), normal = (load(s + at) - middle) * inverse;
      const Vector scaled = upstream * load(weight + at);
      total[v] += scaled;
      projected[v] += scaled * normal;
      store(sums + at, load(sums + at) + upstream * normal);
      store(biasSums + at, load(biasSums + at) + upstream);
    }
  float totalTail = 0.0f, projectedTail = 0.0f;
  for (; i < width; i++) {
    const float upstream = toFloat(g[i]), normal = (s[i] - middle) * inverse, scaled = upstream * weight[i];
    totalTail += scaled;
    projectedTail += scaled * normal;
    sums[i] += upstream * normal;
    biasSums[i] += upstream;
  }
  const float away = (sumOf(total[0] + total[1]) + totalTail) * share;
  const float along = (sumOf(projected[0] + projected[1]) + projectedTail) * share;
  for (i = 0; i + W <= width; i += W) {
    const Vector normal = (load(s + i) - middle) * inverse;
    const Vector change = inverse * (load(g + i) * load(weight + i) - away - normal * along);
    store(to + i, past ? load(past + i) + change : change);
  }
  for (; i < width; i++) {
    const float change = inverse * (toFloat(g[i]) * weight[i] - away - (s[i] - middle) * inverse * along);
    to[i] = past ? past[i] + change : change;
  }
}

}  // namespace

// delta and sum are both null or both there; sum may be x.
TILTH_EXPORT void tilth_layer_norm(int threads, void* out, int outBfloat16, float* mean, float* inverseDeviation, const float* x,
                                   const float* weight, const float* bias, const void* delta, int deltaBfloat16, float* sum,
                                   int64_t rows, int64_t width, float epsilon) {
  Timer timer;
  withNumber(outBfloat16, [&](auto number) {
    withNumber(deltaBfloat16, [&](auto other) {
      auto* to = static_cast<decltype(number)*>(out);
      auto* added = static_cast<const decltype(other)*>(delta);
      parallelFor(threads, rows, kRows, [&](int64_t begin, int64_t end) {
        for (int64_t row = begin; row < end; row++)
          normalizeRow(to + row * width, mean[row], inverseDeviation[row], x + row * width, weight, bias,
                       added ? added + row * width : nullptr, sum ? sum + row * width : nullptr, width, epsilon);
      });
    });
  });
}

// With n = (x − mean) · inverse and h = g · w: xGradient = residualGradient (or 0) + inverse · (h − mean(h) − n · mean(h · n));
// weightGradient += Σ g · n, biasGradient += Σ g.
TILTH_EXPORT void tilth_layer_norm_backward(int threads, float* xGradient, float* weightGradient, float* biasGradient,
                                            const void* gradient, int bf16, const float* x, const float* weight,
                                            const float* mean, const float* inverseDeviation, const float* residualGradient,
                                            int64_t rows, int64_t width) {
  Timer timer;
  const int used = rows <= kRows ? 1 : threads;
  parallel(used, [&](int thread, const Team& team) {
    const Range range = partOf(rows, thread, team.threads);
    float* sums = static_cast<float*>(scratch(thread, 4, 2 * width * 4));
    std::fill(sums, sums + 2 * width, 0.0f);
    withNumber(bf16, [&](auto number) {
      auto* from = static_cast<const decltype(number)*>(gradient);
      for (int64_t row = range.begin; row < range.end; row++)
        differentiateRow(xGradient + row * width, sums, from + row * width, x + row * width, weight, mean[row],
                         inverseDeviation[row], residualGradient ? residualGradient + row * width : nullptr, width);
    });
    team.barrier();
    const Range columns = partOf(width, thread, team.threads, 16);
    for (int other = 0; other < team.threads; other++) {
      const float* theirs = static_cast<const float*>(scratch(other, 4, 0));
      for (int64_t j = columns.begin; j < columns.end; j++) {
        weightGradient[j] += theirs[j];
        biasGradient[j] += theirs[width + j];
      }
    }
  });
}
