#include "../harness.h"

FUNCTION(int64_t, rope, int, void*, int64_t, const void*, int64_t, int, const float*, const int32_t*, int64_t, int64_t, int64_t,
         int64_t, int64_t, int);

KERNEL(rope) {
  const int64_t tokens = 65, heads = 3;
  for (int64_t size : {2, 14, 32, 64, 80, 128}) {
    const int64_t width = heads * size + 5;
    overTypes([=](bool bf16) {
      Numbers x(span(tokens, width, width + 1), bf16), out(span(tokens, width, width + 2), bf16);
      Floats table(7 * size);
      Integers positions(7, tokens);
      tilth_rope(threads, out, width + 2, x, width + 1, bf16, table, positions, tokens, width, heads, size, 7, 0);
      tilth_rope(threads, x, width + 1, x, width + 1, bf16, table, positions, tokens, width, heads, size, 7, 1);
      out.keep();
      x.keep();
    });
  }
}
