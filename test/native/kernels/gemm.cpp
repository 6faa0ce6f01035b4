#include "../harness.h"

FUNCTION(void, matmul, int, void*, int64_t, int, const void*, int64_t, int, int, const void*, int64_t, int, int, int64_t, int64_t,
         int64_t, int, int);

namespace {

void product(int threads, int64_t m, int64_t n, int64_t k) {
  for (int turned = 0; turned < 4; turned++)
    for (int64_t extra = 0; extra < 4; extra += 3) {
      const int64_t aRows = turned & 1 ? k : m, aWidth = turned & 1 ? m : k;
      const int64_t bRows = turned & 2 ? n : k, bWidth = turned & 2 ? k : n;
      // Each matrix of each type where products are in bf16.
      overPrecisions([&](int precision) {
        for (int types = 0; types <= 7 * precision; types++) {
          Numbers a(span(aRows, aWidth, aWidth + extra), types & 1), b(span(bRows, bWidth, bWidth + extra), types & 2);
          Numbers c(span(m, n, n + extra), types & 4);
          tilth_matmul(threads, c, n + extra, c.bf16, a, aWidth + extra, turned & 1, a.bf16, b, bWidth + extra, turned >> 1,
                       b.bf16, m, n, k, static_cast<int>(extra), precision);
          if (!precision) c.keep();
        }
      });
    }
}

}  // namespace

KERNEL(matmul) {
  for (int i = 0; i < 6; i++)
    for (int j = 0; j < 6; j++) product(threads, kLengths[i], kLengths[j], kLengths[(i + j) % 6]);
  product(threads, 100, 33, 1030);
  product(threads, 3, 2100, 70);
}
