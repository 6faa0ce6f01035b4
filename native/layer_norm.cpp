// Layer norm with the residual addition in front of it (Ba et al. 2016), and its gradient. x, delta, sum, out [rows, width],
// weight, bias [width], mean, inverseDeviation [rows]. Every matrix is read or written once from memory, a row's second and
// third reading come from the L1 cache: bound by memory.
#include <algorithm>
#include <cmath>

#include "pool.h"
#include "vector.h"

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

}  // namespace

// delta and sum may be null; sum may be x or delta.
TILTH_EXPORT void tilth_layer_norm(int threads, float* out, float* mean, float* inverseDeviation, const float* x,
                                   const float* weight, const float* bias, const float* delta, float* sum, int64_t rows,
                                   int64_t width, float epsilon) {
  Timer timer;
  const float share = 1.0f / static_cast<float>(width);
  parallelFor(threads, rows, kRows, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; row++) {
      const float* s = x + row * width;
      float* to = out + row * width;
      if (delta) {
        // The row of sums is written where it is wanted; without a place for it, `out` holds it for the later passes.
        float* total = sum ? sum + row * width : to;
        const float* added = delta + row * width;
        for (int64_t i = 0; i < width; i++) total[i] = s[i] + added[i];
        s = total;
      }
      const float middle = share * sumOver(width, [&](int64_t i) { return load(s + i); }, [&](int64_t i) { return s[i]; });
      const float squares = sumOver(
          width,
          [&](int64_t i) {
            Vector away = load(s + i) - middle;
            return away * away;
          },
          [&](int64_t i) { return (s[i] - middle) * (s[i] - middle); });
      const float inverse = 1.0f / std::sqrt(squares * share + epsilon);
      mean[row] = middle;
      inverseDeviation[row] = inverse;
      for (int64_t i = 0; i < width; i++) to[i] = (s[i] - middle) * inverse * weight[i] + bias[i];
    }
  });
}

// With n = (x − mean) · inverse and h = g · w: xGradient = residualGradient (or 0) + inverse · (h − mean(h) − n · mean(h · n));
// weightGradient += Σ g · n, biasGradient += Σ g.
TILTH_EXPORT void tilth_layer_norm_backward(int threads, float* xGradient, float* weightGradient, float* biasGradient,
                                            const float* gradient, const float* x, const float* weight, const float* mean,
                                            const float* inverseDeviation, const float* residualGradient, int64_t rows,
                                            int64_t width) {
  Timer timer;
  const int used = rows <= kRows ? 1 : threads;
  const float share = 1.0f / static_cast<float>(width);
  parallel(used, [&](int thread, const Team& team) {
    const Range range = partOf(rows, thread, team.threads);
    float* weightSums = static_cast<float*>(scratch(thread, 4, 2 * width * 4));
    float* biasSums = weightSums + width;
    std::fill(weightSums, weightSums + 2 * width, 0.0f);
    for (int64_t row = range.begin; row < range.end; row++) {
      const float* g = gradient + row * width;
      const float* s = x + row * width;
      const float middle = mean[row], inverse = inverseDeviation[row];
      Vector total[2] = {}, projected[2] = {};
      int64_t i = 0;
      for (; i + 2 * W <= width; i += 2 * W)
        for (int v = 0; v < 2; v++) {
          const int64_t at = i + v * W;
          Vector upstream = load(g + at), normal = (load(s + at) - middle) * inverse;
          Vector scaled = upstream * load(weight + at);
          total[v] += scaled;
          projected[v] += scaled * normal;
          store(weightSums + at, load(weightSums + at) + upstream * normal);
          store(biasSums + at, load(biasSums + at) + upstream);
        }
      float totalTail = 0.0f, projectedTail = 0.0f;
      for (; i < width; i++) {
        const float normal = (s[i] - middle) * inverse, scaled = g[i] * weight[i];
        totalTail += scaled;
        projectedTail += scaled * normal;
        weightSums[i] += g[i] * normal;
        biasSums[i] += g[i];
      }
      const float away = (sumOf(total[0] + total[1]) + totalTail) * share;
      const float along = (sumOf(projected[0] + projected[1]) + projectedTail) * share;
      float* to = xGradient + row * width;
      const float* past = residualGradient ? residualGradient + row * width : nullptr;
      if (past)
        for (int64_t j = 0; j < width; j++)
          to[j] = past[j] + inverse * (g[j] * weight[j] - away - (s[j] - middle) * inverse * along);
      else
        for (int64_t j = 0; j < width; j++) to[j] = inverse * (g[j] * weight[j] - away - (s[j] - middle) * inverse * along);
    }
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
