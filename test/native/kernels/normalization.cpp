#include "../harness.h"

FUNCTION(void, rms_norm, int, void*, int, float*, const float*, const float*, const void*, int, float*, int64_t, int64_t, float);
FUNCTION(void, rms_norm_backward, int, float*, float*, const void*, int, const float*, const float*, const float*, const float*,
         int64_t, int64_t);

KERNEL(rms_norm) {
  overMatrices([=](int64_t rows, int64_t width) {
    for (int types = 0; types < 4; types++) {
      Numbers out(rows * width, types & 1), delta(rows * width, types & 2);
      Floats x(rows * width), weight(width), inverse(rows);
      tilth_rms_norm(threads, out, out.bf16, inverse, x, weight, nullptr, 0, nullptr, rows, width, 1e-5f);
      out.keep();
      tilth_rms_norm(threads, out, out.bf16, inverse, x, weight, delta, delta.bf16, x, rows, width, 1e-5f);
      if (types > 0) continue;
      out.keep();
      x.keep();
    }
  });
}

KERNEL(rms_norm_backward) {
  overMatrices([=](int64_t rows, int64_t width) {
    overTypes([=](bool bf16) {
      Numbers gradient(rows * width, bf16);
      Floats x(rows * width), out(rows * width), weight(width), weightGradient(width), inverse(rows);
      tilth_rms_norm_backward(threads, out, weightGradient, gradient, bf16, x, weight, inverse, nullptr, rows, width);
      tilth_rms_norm_backward(threads, out, weightGradient, gradient, bf16, x, weight, inverse, out, rows, width);
      if (bf16) return;
      out.keep();
      weightGradient.keep();
    });
  });
}
