#include "../harness.h"

FUNCTION(void, swiglu, int, void*, const void*, int, int64_t, int64_t);
FUNCTION(void, swiglu_backward, int, void*, const void*, const void*, int, int64_t, int64_t);
FUNCTION(void, geglu, int, void*, const void*, int, int64_t, int64_t);
FUNCTION(void, geglu_backward, int, void*, const void*, const void*, int, int64_t, int64_t);

namespace {

void activate(int threads, decltype(tilth_swiglu) gate) {
  overMatrices([=](int64_t rows, int64_t width) {
    overTypes([=](bool bf16) {
      Numbers gateUp(2 * rows * width, bf16), out(rows * width, bf16);
      gate(threads, out, gateUp, bf16, rows, width);
      out.keep();
    });
  });
}

void differentiate(int threads, decltype(tilth_swiglu_backward) gate) {
  overMatrices([=](int64_t rows, int64_t width) {
    overTypes([=](bool bf16) {
      Numbers gateUp(2 * rows * width, bf16), gradient(rows * width, bf16), out(2 * rows * width, bf16);
      gate(threads, out, gradient, gateUp, bf16, rows, width);
      out.keep();
    });
  });
}

}  // namespace

KERNEL(swiglu) { activate(threads, tilth_swiglu); }
KERNEL(swiglu_backward) { differentiate(threads, tilth_swiglu_backward); }
KERNEL(geglu) { activate(threads, tilth_geglu); }
KERNEL(geglu_backward) { differentiate(threads, tilth_geglu_backward); }
