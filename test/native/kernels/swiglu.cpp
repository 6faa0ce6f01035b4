#include "../harness.h"

FUNCTION(void, swiglu, int, float*, const float*, int64_t, int64_t);
FUNCTION(void, swiglu_backward, int, float*, const float*, const float*, int64_t, int64_t);

KERNEL(swiglu) {
  overMatrices([=](int64_t rows, int64_t width) {
    Floats gateUp(2 * rows * width), out(rows * width);
    tilth_swiglu(threads, out, gateUp, rows, width);
    out.keep();
  });
}

KERNEL(swiglu_backward) {
  overMatrices([=](int64_t rows, int64_t width) {
    Floats gateUp(2 * rows * width), gradient(rows * width), out(2 * rows * width);
    tilth_swiglu_backward(threads, out, gradient, gateUp, rows, width);
    out.keep();
  });
}
