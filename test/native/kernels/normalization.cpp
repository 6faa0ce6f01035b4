#include "../harness.h"

FUNCTION(void, rms_norm, int, float*, float*, const float*, const float*, const float*, float*, int64_t, int64_t, float);
FUNCTION(void, rms_norm_backward, int, float*, float*, const float*, const float*, const float*, const float*, const float*,
         int64_t, int64_t);

KERNEL(rms_norm) {
  overMatrices([=](int64_t rows, int64_t width) {
    Floats x(rows * width), out(rows * width), delta(rows * width), weight(width), inverse(rows);
    tilth_rms_norm(threads, out, inverse, x, weight, nullptr, nullptr, rows, width, 1e-5f);
    out.keep();
    tilth_rms_norm(threads, out, inverse, x, weight, delta, x, rows, width, 1e-5f);
    out.keep();
    x.keep();
  });
}

KERNEL(rms_norm_backward) {
  overMatrices([=](int64_t rows, int64_t width) {
    Floats x(rows * width), gradient(rows * width), out(rows * width), weight(width), weightGradient(width), inverse(rows);
    tilth_rms_norm_backward(threads, out, weightGradient, gradient, x, weight, inverse, nullptr, rows, width);
    tilth_rms_norm_backward(threads, out, weightGradient, gradient, x, weight, inverse, out, rows, width);
    out.keep();
    weightGradient.keep();
  });
}
