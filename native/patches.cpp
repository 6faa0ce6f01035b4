// Images as rows of patches (im2col without overlap), and tables added to rows in turn: positions, class tokens.
// Everything is read and written once: bound by memory.
#include <algorithm>
#include <cstring>

#include "bfloat16.h"
#include "pool.h"

using namespace tilth;

namespace {
constexpr int64_t kGrain = 16384;  // floats below which another thread costs more than it saves
int64_t rowGrain(int64_t width) { return std::max<int64_t>(1, kGrain / std::max<int64_t>(1, width)); }
}  // namespace

// pixels [images, channels, height, width]; out [images · (leading + height/patch · width/patch), channels · patch²]: a row is a
// patch, channel by channel, in the order of a convolution's weights. `leading` rows of zeros come before each image's patches.
TILTH_EXPORT void tilth_patches(int threads, float* out, const float* pixels, int64_t images, int64_t channels, int64_t height,
                                int64_t width, int64_t patch, int64_t leading) {
  Timer timer;
  const int64_t across = width / patch, down = height / patch, perImage = leading + across * down;
  const int64_t columns = channels * patch * patch;
  parallelFor(threads, images * perImage, rowGrain(columns), [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; row++) {
      float* to = out + row * columns;
      const int64_t image = row / perImage, index = row % perImage - leading;
      if (index < 0) {
        std::fill(to, to + columns, 0.0f);
        continue;
      }
      const float* corner = pixels + image * channels * height * width + (index / across * width + index % across) * patch;
      for (int64_t channel = 0; channel < channels; channel++)
        for (int64_t y = 0; y < patch; y++, to += patch)
          std::memcpy(to, corner + (channel * height + y) * width, static_cast<size_t>(patch) * 4);
    }
  });
}

// out[r] = x[r] + table[r mod period]; out may be x. Strides in elements.
TILTH_EXPORT void tilth_add_rows(int threads, float* out, int64_t outStride, const float* x, int64_t xStride, const float* table,
                                 int64_t rows, int64_t width, int64_t period) {
  Timer timer;
  parallelFor(threads, rows, rowGrain(width), [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; row++) {
      const float *from = x + row * xStride, *added = table + row % period * width;
      float* to = out + row * outStride;
      for (int64_t i = 0; i < width; i++) to[i] = from[i] + added[i];
    }
  });
}

// tableGradient[p] += Σ gradient[r] over r mod period = p, in the order of rows. A thread owns a range of columns, or of the
// table's rows where these are more, so that every sum runs in that order whatever the number of threads.
TILTH_EXPORT void tilth_add_rows_backward(int threads, float* tableGradient, const void* gradient, int64_t gradientStride,
                                          int bf16, int64_t rows, int64_t width, int64_t period) {
  Timer timer;
  const int used = rows * width < kGrain ? 1 : threads;
  withNumber(bf16, [&](auto number) {
    auto* upstream = static_cast<const decltype(number)*>(gradient);
    auto sum = [&](int64_t firstRow, int64_t lastRow, int64_t from, int64_t to) {
      for (int64_t start = 0; start < rows; start += period)
        for (int64_t p = firstRow; p < std::min(lastRow, rows - start); p++) {
          float* into = tableGradient + p * width;
          auto* one = upstream + (start + p) * gradientStride;
          int64_t i = from;
          for (; i + W <= to; i += W) store(into + i, load(into + i) + load(one + i));
          for (; i < to; i++) into[i] += toFloat(one[i]);
        }
    };
    if (period >= 16) parallelFor(used, period, 1, [&](int64_t begin, int64_t end) { sum(begin, end, 0, width); });
    else parallelFor(used, width, 16, [&](int64_t begin, int64_t end) { sum(0, period, begin, end); });
  });
}
