#include "../harness.h"

FUNCTION(void, attention, int, int, const void*, int64_t, const void*, int64_t, const void*, int64_t, void*, int64_t, float*,
         const int32_t*, const int32_t*, const int32_t*, int64_t, int64_t, int64_t, int64_t, int64_t, int64_t, float, int, int);
FUNCTION(void, attention_backward, int, int, const void*, int64_t, const void*, int64_t, const void*, int64_t, const void*,
         int64_t, const float*, const void*, int64_t, void*, int64_t, void*, int64_t, void*, int64_t, const int32_t*,
         const int32_t*, int64_t, int64_t, int64_t, int64_t, int64_t, int64_t, float, int, int);

namespace {

struct Shape {
  int64_t sequences, queries, keys, heads, keyHeads, size;
  int causal;
};

void forwardAndBackward(int threads, const Shape& shape, bool backward) {
  const auto [sequences, queries, keys, heads, keyHeads, size, causal] = shape;
  const int64_t width = heads * size, keyWidth = keyHeads * size, tokens = sequences * queries, tiles = (keys + 63) / 64;
  Floats sums(heads * tokens);
  Integers from(keys, tokens), to(keys + 1, tokens);
  auto call = [&, sequences = sequences, queries = queries, keys = keys, heads = heads, keyHeads = keyHeads, size = size,
               causal = causal](bool masked, int precision, bool bf16, bool paged) {
    // Pages from the last to the first: no sequence's keys lie one after the other.
    const int64_t others = paged ? sequences * tiles * 64 : sequences * keys;
    std::vector<int32_t> order(static_cast<size_t>(sequences * tiles));
    for (size_t i = 0; i < order.size(); i++) order[i] = static_cast<int32_t>(order.size() - 1 - i);
    const int32_t* pages = paged ? order.data() : nullptr;
    Numbers q(span(tokens, width, width + 1), bf16), k(span(others, keyWidth, keyWidth + 2), bf16);
    Numbers v(span(others, keyWidth, keyWidth), bf16), out(tokens * width, bf16), gradient(tokens * width, bf16);
    Numbers dq(span(tokens, width, width + 1), bf16), dk(span(others, keyWidth, keyWidth + 2), bf16);
    Numbers dv(span(others, keyWidth, keyWidth), bf16);
    const int32_t *first = masked ? from.data() : nullptr, *last = masked ? to.data() : nullptr;
    tilth_attention(threads, bf16, q, width + 1, k, keyWidth + 2, v, keyWidth, out, width, sums, first, last, pages, sequences,
                    queries, keys, heads, keyHeads, size, 0.3f, causal, precision);
    if (!precision && !backward) out.keep();
    if (!precision && !backward) sums.keep();
    if (!backward) return;
    tilth_attention_backward(threads, bf16, q, width + 1, k, keyWidth + 2, v, keyWidth, out, width, sums, gradient, width, dq,
                             width + 1, dk, keyWidth + 2, dv, keyWidth, first, last, sequences, queries, keys, heads, keyHeads,
                             size, 0.3f, causal, precision);
    if (precision) return;
    for (const Numbers* result : {&dq, &dk, &dv}) result->keep();
  };
  for (bool masked : {false, true})
    overPrecisions([&](int precision) {
      for (int bf16 = 0; bf16 <= precision; bf16++)
        for (int paged = 0; paged <= !backward; paged++) call(masked, precision, bf16, paged);
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
