#include "../harness.h"

FUNCTION(void, swiglu, int, void*, const void*, int, int64_t, int64_t);
FUNCTION(void, swiglu_backward, int, void*, const void*, const void*, int, int64_t, int64_t);

KERNEL(swiglu) {
  overMatrices([=](int64_t rows, int64_t width) {
    overTypes([=](bool bf16) {
      Numbers gateUp(2 * rows * width, bf16), out(rows * width, bf16);
      tilth_swiglu(threads, out, gateUp, bf16, rows, width);
      out.keep();
    });
  });
}

KERNEL(swiglu_backward) {
  overMatrices([=](int64_t rows, int64_t width) {
    overTypes([=](bool bf16) {
      Numbers gateUp(2 * rows * width, bf16), gradient(rows * width, bf16), out(2 * rows * width, bf16);
      tilth_swiglu_backward(threads, out, gradient, gateUp, bf16, rows, width);
      out.keep();
    });
  });
}
