// RMS norm with the residual addition in front of it (Zhang & Sennrich 2019), and its gradient.
// x, delta, sum, out [rows, width], weight [width], inverseRms [rows]. Every matrix is read or written once: bound by memory.
#include <algorithm>
#include <cmath>

#include "pool.h"
#include "vector.h"

using namespace tilth;

namespace {
constexpr int64_t kRows = 16;  // rows below which a thread is not worth waking
}

// delta and sum may be null; sum may be x.
TILTH_EXPORT void tilth_rms_norm(int threads, float* out, float* inverseRms, const float* x, const float* weight,
                                 const float* delta, float* sum, int64_t rows, int64_t width, float epsilon) {
  Timer timer;
  parallelFor(threads, rows, kRows, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; row++) {
      const float* from = x + row * width;
      const float* added = delta ? delta + row * width : nullptr;
      // The row of sums is written where it is wanted; without a place for it, `out` holds it for the second pass.
      float* total = sum ? sum + row * width : out + row * width;
      Vector squares[2] = {};
      int64_t i = 0;
      for (; i + 2 * W <= width; i += 2 * W)
        for (int v = 0; v < 2; v++) {
          Vector value = load(from + i + v * W);
          if (added) value += load(added + i + v * W);
          if (added || sum) store(total + i + v * W, value);
          squares[v] += value * value;
        }
      float tail = 0.0f;
      for (; i < width; i++) {
        float value = from[i] + (added ? added[i] : 0.0f);
        if (added || sum) total[i] = value;
        tail += value * value;
      }
      const float* values = added || sum ? total : from;
      float inverse = 1.0f / std::sqrt((sumOf(squares[0] + squares[1]) + tail) / static_cast<float>(width) + epsilon);
      inverseRms[row] = inverse;
      float* to = out + row * width;
      for (int64_t j = 0; j < width; j++) to[j] = values[j] * inverse * weight[j];
    }
  });
}

// xGradient = residualGradient (or 0) + inverse · (g · w − n · mean(g · w · n)), n = x · inverse; weightGradient += Σ g · n.
TILTH_EXPORT void tilth_rms_norm_backward(int threads, float* xGradient, float* weightGradient, const float* gradient,
                                          const float* x, const float* weight, const float* inverseRms,
                                          const float* residualGradient, int64_t rows, int64_t width) {
  Timer timer;
  int used = rows <= kRows ? 1 : threads;
  parallel(used, [&](int thread, const Team& team) {
    Range range = partOf(rows, thread, team.threads);
    float* sums = static_cast<float*>(scratch(thread, 4, width * 4));
    std::fill(sums, sums + width, 0.0f);
    for (int64_t row = range.begin; row < range.end; row++) {
      const float* g = gradient + row * width;
      const float* s = x + row * width;
      float inverse = inverseRms[row];
      Vector products[2] = {};
      int64_t i = 0;
      for (; i + 2 * W <= width; i += 2 * W)
        for (int v = 0; v < 2; v++) {
          int64_t at = i + v * W;
          Vector gs = load(g + at) * load(s + at);
          products[v] += gs * load(weight + at);
          store(sums + at, load(sums + at) + gs * inverse);
        }
      float tail = 0.0f;
      for (; i < width; i++) {
        tail += g[i] * s[i] * weight[i];
        sums[i] += g[i] * s[i] * inverse;
      }
      float factor = (sumOf(products[0] + products[1]) + tail) * inverse * inverse / static_cast<float>(width);
      float* to = xGradient + row * width;
      const float* past = residualGradient ? residualGradient + row * width : nullptr;
      if (past)
        for (int64_t j = 0; j < width; j++) to[j] = past[j] + inverse * (g[j] * weight[j] - s[j] * factor);
      else
        for (int64_t j = 0; j < width; j++) to[j] = inverse * (g[j] * weight[j] - s[j] * factor);
    }
    team.barrier();
    Range columns = partOf(width, thread, team.threads, 16);
    for (int other = 0; other < team.threads; other++) {
      const float* theirs = static_cast<const float*>(scratch(other, 4, 0));
      for (int64_t j = columns.begin; j < columns.end; j++) weightGradient[j] += theirs[j];
    }
  });
}
