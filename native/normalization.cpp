// RMS norm with the residual addition in front of it (Zhang & Sennrich 2019), and its gradient.
// x, delta, sum, out [rows, width], weight [width], inverseRms [rows]. x and sum are f32; out, delta and gradient f32 or bf16.
// Every matrix is read or written once: bound by memory.
#include <algorithm>
#include <cmath>

#include "bfloat16.h"
#include "pool.h"

using namespace tilth;

namespace {

constexpr int64_t kRows = 16;  // rows below which a thread is not worth waking

// `sum` is null where there is no delta; it may be x.
template <typename Out, typename Delta>
void normalizeRow(Out* out, float& inverseRms, const float* x, const float* weight, const Delta* delta, float* sum, int64_t width,
                  float epsilon) {
  Vector squares[2] = {};
  int64_t i = 0;
  auto vectorAt = [&](int64_t at) {
    if (!sum) return load(x + at);
    const Vector value = load(x + at) + load(delta + at);
    store(sum + at, value);
    return value;
  };
  for (; i + 2 * W <= width; i += 2 * W)
    for (int v = 0; v < 2; v++) {
      const Vector value = vectorAt(i + v * W);
      squares[v] += value * value;
    }
  float tail = 0.0f;
  for (; i < width; i++) {
    const float value = sum ? sum[i] = x[i] + toFloat(delta[i]) : x[i];
    tail += value * value;
  }
  const float* values = sum ? sum : x;
  const float inverse = 1.0f / std::sqrt((sumOf(squares[0] + squares[1]) + tail) / static_cast<float>(width) + epsilon);
  inverseRms = inverse;
  for (i = 0; i + W <= width; i += W) store(out + i, load(values + i) * inverse * load(weight + i));
  for (; i < width; i++) storeOne(out + i, values[i] * inverse * weight[i]);
}

// One row of the gradient; `sums` gathers the weight's.
template <typename Number>
void differentiateRow(float* to, float* sums, const Number* g, const float* s, const float* weight, float inverse,
                      const float* past, int64_t width) {
  Vector products[2] = {};
  int64_t i = 0;
  for (; i + 2 * W <= width; i += 2 * W)
    for (int v = 0; v < 2; v++) {
      const int64_t at = i + v * W;
      const Vector gs = load(g + at) * load(s + at);
      products[v] += gs * load(weight + at);
      store(sums + at, load(sums + at) + gs * inverse);
    }
  float tail = 0.0f;
  for (; i < width; i++) {
    tail += toFloat(g[i]) * s[i] * weight[i];
    sums[i] += toFloat(g[i]) * s[i] * inverse;
  }
  const float factor = (sumOf(products[0] + products[1]) + tail) * inverse * inverse / static_cast<float>(width);
  for (i = 0; i + W <= width; i += W) {
    const Vector change = inverse * (load(g + i) * load(weight + i) - load(s + i) * factor);
    store(to + i, past ? load(past + i) + change : change);
  }
  for (; i < width; i++) {
    const float change = inverse * (toFloat(g[i]) * weight[i] - s[i] * factor);
    to[i] = past ? past[i] + change : change;
  }
}

}  // namespace

// delta and sum are both null or both there; sum may be x.
TILTH_EXPORT void tilth_rms_norm(int threads, void* out, int outBfloat16, float* inverseRms, const float* x, const float* weight,
                                 const void* delta, int deltaBfloat16, float* sum, int64_t rows, int64_t width, float epsilon) {
  Timer timer;
  withNumber(outBfloat16, [&](auto number) {
    withNumber(deltaBfloat16, [&](auto other) {
      auto* to = static_cast<decltype(number)*>(out);
      auto* added = static_cast<const decltype(other)*>(delta);
      parallelFor(threads, rows, kRows, [&](int64_t begin, int64_t end) {
        for (int64_t row = begin; row < end; row++)
          normalizeRow(to + row * width, inverseRms[row], x + row * width, weight, added ? added + row * width : nullptr,
                       sum ? sum + row * width : nullptr, width, epsilon);
      });
    });
  });
}

// xGradient = residualGradient (or 0) + inverse · (g · w − n · mean(g · w · n)), n = x · inverse; weightGradient += Σ g · n.
TILTH_EXPORT void tilth_rms_norm_backward(int threads, float* xGradient, float* weightGradient, const void* gradient, int bf16,
                                          const float* x, const float* weight, const float* inverseRms,
                                          const float* residualGradient, int64_t rows, int64_t width) {
  Timer timer;
  int used = rows <= kRows ? 1 : threads;
  parallel(used, [&](int thread, const Team& team) {
    Range range = partOf(rows, thread, team.threads);
    float* sums = static_cast<float*>(scratch(thread, 4, width * 4));
    std::fill(sums, sums + width, 0.0f);
    withNumber(bf16, [&](auto number) {
      auto* from = static_cast<const decltype(number)*>(gradient);
      for (int64_t row = range.begin; row < range.end; row++)
        differentiateRow(xGradient + row * width, sums, from + row * width, x + row * width, weight, inverseRms[row],
                         residualGradient ? residualGradient + row * width : nullptr, width);
    });
    team.barrier();
    Range columns = partOf(width, thread, team.threads, 16);
    for (int other = 0; other < team.threads; other++) {
      const float* theirs = static_cast<const float*>(scratch(other, 4, 0));
      for (int64_t j = columns.begin; j < columns.end; j++) weightGradient[j] += theirs[j];
    }
  });
}
