#include "../harness.h"

FUNCTION(void, matmul, int, float*, int64_t, const float*, int64_t, int, const float*, int64_t, int, int64_t, int64_t, int64_t,
         int, int);

namespace {

void product(int threads, int64_t m, int64_t n, int64_t k) {
  for (int turned = 0; turned < 4; turned++)
    for (int64_t extra = 0; extra < 4; extra += 3) {
      const int64_t aRows = turned & 1 ? k : m, aWidth = turned & 1 ? m : k;
      const int64_t bRows = turned & 2 ? n : k, bWidth = turned & 2 ? k : n;
      Floats a(span(aRows, aWidth, aWidth + extra)), b(span(bRows, bWidth, bWidth + extra)), c(span(m, n, n + extra));
      overPrecisions([&](int bf16) {
        tilth_matmul(threads, c, n + extra, a, aWidth + extra, turned & 1, b, bWidth + extra, turned >> 1, m, n, k,
                     static_cast<int>(extra), bf16);
        if (!bf16) c.keep();
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
