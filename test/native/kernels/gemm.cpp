#include "../harness.h"

FUNCTION(void, matmul, int, void*, int64_t, int, const void*, int64_t, int, int, const void*, int64_t, int, int,
         const float*, int64_t, int64_t, int64_t, int, int);

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
          Floats bias(n);
          tilth_matmul(threads, c, n + extra, c.bf16, a, aWidth + extra, turned & 1, a.bf16, b, bWidth + extra, turned >> 1,
                       b.bf16, extra ? bias.data() : nullptr, m, n, k, static_cast<int>(extra), precision);
          if (!precision) c.keep();
        }
      });
    }
}

}  // namespace

KERNEL(matmul) {
  // Weights stored in bf16, multiplied in f32 whatever the level has.
  for (int64_t m : {1, 2, 3, 5, 16, 17, 40})
    for (int64_t n : {1, 7, 65, 129})
      for (int64_t k : {1, 31, 65, 200}) {
        Floats a(span(m, k, k + 1)), out(span(m, n, n + 2)), bias(n);
        Numbers weight(n * k, true);
        tilth_matmul(threads, out, n + 2, 0, a, k + 1, 0, 0, weight, k, 1, 1, m % 2 ? bias.data() : nullptr, m, n, k, m == 2, 0);
        out.keep();
      }
  for (int i = 0; i < 6; i++)
    for (int j = 0; j < 6; j++) product(threads, kLengths[i], kLengths[j], kLengths[(i + j) % 6]);
  product(threads, 100, 33, 1030);
  product(threads, 3, 2100, 70);
}
