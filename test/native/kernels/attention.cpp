#include "../harness.h"

FUNCTION(void, attention, int, const float*, int64_t, const float*, int64_t, const float*, int64_t, float*, int64_t, float*,
         const int32_t*, const int32_t*, int64_t, int64_t, int64_t, int64_t, int64_t, int64_t, float, int, int);
FUNCTION(void, attention_backward, int, const float*, int64_t, const float*, int64_t, const float*, int64_t, const float*,
         int64_t, const float*, const float*, int64_t, float*, int64_t, float*, int64_t, float*, int64_t, const int32_t*,
         const int32_t*, int64_t, int64_t, int64_t, int64_t, int64_t, int64_t, float, int, int);

namespace {

struct Shape {
  int64_t sequences, queries, keys, heads, keyHeads, size;
  int causal;
};

void forwardAndBackward(int threads, const Shape& shape, bool backward) {
  const auto [sequences, queries, keys, heads, keyHeads, size, causal] = shape;
  const int64_t width = heads * size, keyWidth = keyHeads * size, tokens = sequences * queries, others = sequences * keys;
  Floats q(span(tokens, width, width + 1)), k(span(others, keyWidth, keyWidth + 2)), v(span(others, keyWidth, keyWidth));
  Floats out(tokens * width), sums(heads * tokens), gradient(tokens * width);
  Floats dq(span(tokens, width, width + 1)), dk(span(others, keyWidth, keyWidth + 2)), dv(span(others, keyWidth, keyWidth));
  Integers from(keys, tokens), to(keys + 1, tokens);
  for (int masked = 0; masked < 2; masked++)
    overPrecisions([&, sequences = sequences, queries = queries, keys = keys, heads = heads, keyHeads = keyHeads, size = size,
                    causal = causal](int bf16) {
      const int32_t *first = masked ? from.data() : nullptr, *last = masked ? to.data() : nullptr;
      tilth_attention(threads, q, width + 1, k, keyWidth + 2, v, keyWidth, out, width, sums, first, last, sequences, queries,
                      keys, heads, keyHeads, size, 0.3f, causal, bf16);
      if (!bf16 && !backward) out.keep();
      if (!bf16 && !backward) sums.keep();
      if (!backward) return;
      tilth_attention_backward(threads, q, width + 1, k, keyWidth + 2, v, keyWidth, out, width, sums, gradient, width, dq,
                               width + 1, dk, keyWidth + 2, dv, keyWidth, first, last, sequences, queries, keys, heads,
                               keyHeads, size, 0.3f, causal, bf16);
      if (bf16) return;
      for (const Floats* result : {&dq, &dk, &dv}) result->keep();
    });
}

void overShapes(int threads, bool backward) {
  for (int64_t size : {2, 17, 32, 64, 80, 128}) {
    forwardAndBackward(threads, {2, 65, 65, 2, 1, size, 1}, backward);
    forwardAndBackward(threads, {1, 7, 129, 2, 2, size, 1}, backward);
    forwardAndBackward(threads, {1, 1, 70, 4, 2, size, 0}, backward);
  }
}

}  // namespace

KERNEL(attention) { overShapes(threads, false); }
KERNEL(attention_backward) { overShapes(threads, true); }
