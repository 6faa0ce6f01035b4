// Means over ranges of rows, and their gradient. x [rows, width], from, to i32 [ranges], out [ranges, width].
// Every row of a range is read, and written, once: bound by memory. Return the first bad range's position + 1, or 0.
#include <algorithm>

#include "pool.h"

namespace {
int64_t firstBad(const int32_t* from, const int32_t* to, int64_t ranges, int64_t rows) {
  for (int64_t i = 0; i < ranges; i++)
    if (from[i] < 0 || to[i] > rows || from[i] > to[i]) return i + 1;
  return 0;
}
}  // namespace

// An empty range yields zeros.
TILTH_EXPORT int64_t tilth_mean_rows(int threads, float* out, const float* x, const int32_t* from, const int32_t* to,
                                     int64_t ranges, int64_t width, int64_t rows) {
  tilth::Timer timer;
  if (int64_t bad = firstBad(from, to, ranges, rows)) return bad;
  tilth::parallelFor(threads, ranges, 1, [&](int64_t begin, int64_t end) {
    for (int64_t range = begin; range < end; range++) {
      float* sum = out + range * width;
      std::fill(sum, sum + width, 0.0f);
      for (int64_t row = from[range]; row < to[range]; row++)
        for (int64_t i = 0; i < width; i++) sum[i] += x[row * width + i];
      const float share = 1.0f / static_cast<float>(std::max(1, to[range] - from[range]));
      for (int64_t i = 0; i < width; i++) sum[i] *= share;
    }
  });
  return 0;
}

// xGradient[row] += gradient[range] / length for every row of the range. Ranges may overlap: a thread owns columns.
TILTH_EXPORT int64_t tilth_mean_rows_backward(int threads, float* xGradient, const float* gradient, const int32_t* from,
                                              const int32_t* to, int64_t ranges, int64_t width, int64_t rows) {
  tilth::Timer timer;
  if (int64_t bad = firstBad(from, to, ranges, rows)) return bad;
  tilth::parallelFor(rows * width < 16384 ? 1 : threads, width, 16, [&](int64_t begin, int64_t end) {
    for (int64_t range = 0; range < ranges; range++) {
      const float share = 1.0f / static_cast<float>(std::max(1, to[range] - from[range]));
      for (int64_t row = from[range]; row < to[range]; row++)
        for (int64_t i = begin; i < end; i++) xGradient[row * width + i] += gradient[range * width + i] * share;
    }
  });
  return 0;
}
