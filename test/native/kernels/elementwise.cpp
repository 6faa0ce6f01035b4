#include "../harness.h"

FUNCTION(void, fill, int, void*, int, float, int64_t);
FUNCTION(void, copy, int, void*, int64_t, int, const void*, int64_t, int, int64_t, int64_t);
FUNCTION(void, add, int, void*, int, const void*, int, const void*, int, int64_t);
FUNCTION(void, scale, int, float*, const float*, float, int64_t);
FUNCTION(void, sum, int, float*, const float*, int64_t);
FUNCTION(void, norm, int, float*, const float*, int64_t);

KERNEL(fill) {
  for (int64_t count : kCounts) {
    overTypes([=](bool bf16) {
      Numbers out(count, bf16);
      tilth_fill(threads, out, bf16, -2.5f, count);
      out.keep();
    });
  }
}

KERNEL(copy) {
  overMatrices([=](int64_t rows, int64_t width) {
    for (int types = 0; types < 4; types++) {
      Numbers from(rows * width, types & 1), to(span(rows, width, width + 3), types & 2), flat(rows * width, types & 2);
      tilth_copy(threads, to, width + 3, to.bf16, from, width, from.bf16, rows, width);
      tilth_copy(threads, flat, width, flat.bf16, from, width, from.bf16, rows, width);
      to.keep();
      flat.keep();
    }
  });
}

KERNEL(add) {
  for (int64_t count : kCounts) {
    for (int types = 0; types < 8; types++) {
      Numbers a(count, types & 1), b(count, types & 2), out(count, types & 4);
      tilth_add(threads, out, out.bf16, a, a.bf16, b, b.bf16, count);
      out.keep();
    }
  }
}

KERNEL(scale) {
  for (int64_t count : kCounts) {
    Floats x(count), out(count);
    tilth_scale(threads, out, x, 0.5f, count);
    out.keep();
  }
}

KERNEL(sum) {
  for (int64_t count : kCounts) {
    Floats x(count), out(1);
    tilth_sum(threads, out, x, count);
    out.keep();
  }
}

KERNEL(norm) {
  for (int64_t count : kCounts) {
    Floats x(count), out(1);
    tilth_norm(threads, out, x, count);
    out.keep();
  }
}
