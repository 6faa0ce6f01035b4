// Rows divided by their Euclidean length, and the gradient. x, out [rows, width], inverseNorm [rows]. Every matrix is read or
// written once (x twice, the second time from cache): bound by memory.
#include <algorithm>
#include <cmath>

#include "pool.h"
#include "vector.h"

using namespace tilth;

namespace {
constexpr int64_t kRows = 16;  // rows below which a thread is not worth waking

float dot(const float* a, const float* b, int64_t width) {
  Vector products = {};
  int64_t i = 0;
  for (; i + W <= width; i += W) products += load(a + i) * load(b + i);
  float tail = 0.0f;
  for (; i < width; i++) tail += a[i] * b[i];
  return sumOf(products) + tail;
}
}  // namespace

// A row shorter than 1e-12 is divided by 1e-12, as PyTorch's `normalize` does.
TILTH_EXPORT void tilth_l2_normalize(int threads, float* out, float* inverseNorm, const float* x, int64_t rows, int64_t width) {
  Timer timer;
  parallelFor(threads, rows, kRows, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; row++) {
      const float* from = x + row * width;
      const float inverse = 1.0f / std::max(std::sqrt(dot(from, from, width)), 1e-12f);
      inverseNorm[row] = inverse;
      for (int64_t i = 0; i < width; i++) out[row * width + i] = from[i] * inverse;
    }
  });
}

// xGradient = inverse · (g − out · (g · out)).
TILTH_EXPORT void tilth_l2_normalize_backward(int threads, float* xGradient, const float* gradient, const float* out,
                                              const float* inverseNorm, int64_t rows, int64_t width) {
  Timer timer;
  parallelFor(threads, rows, kRows, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; row++) {
      const float* g = gradient + row * width;
      const float* y = out + row * width;
      const float along = dot(g, y, width), inverse = inverseNorm[row];
      for (int64_t i = 0; i < width; i++) xGradient[row * width + i] = inverse * (g[i] - y[i] * along);
    }
  });
}
