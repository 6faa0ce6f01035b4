#include "../harness.h"

FUNCTION(void, fill, int, float*, float, int64_t);
FUNCTION(void, copy, int, float*, int64_t, const float*, int64_t, int64_t, int64_t);
FUNCTION(void, add, int, float*, const float*, const float*, int64_t);
FUNCTION(void, scale, int, float*, const float*, float, int64_t);
FUNCTION(void, sum, int, float*, const float*, int64_t);
FUNCTION(void, norm, int, float*, const float*, int64_t);

KERNEL(fill) {
  for (int64_t count : kCounts) {
    Floats out(count);
    tilth_fill(threads, out, -2.5f, count);
    out.keep();
  }
}

KERNEL(copy) {
  overMatrices([=](int64_t rows, int64_t width) {
    Floats from(rows * width), to(span(rows, width, width + 3)), flat(rows * width);
    tilth_copy(threads, to, width + 3, from, width, rows, width);
    tilth_copy(threads, flat, width, from, width, rows, width);
    to.keep();
    flat.keep();
  });
}

KERNEL(add) {
  for (int64_t count : kCounts) {
    Floats a(count), b(count), out(count);
    tilth_add(threads, out, a, b, count);
    out.keep();
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
