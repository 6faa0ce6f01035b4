#include "../harness.h"

typedef std::vector<uint16_t> Halves;

FUNCTION(void, store_weights, int, uint16_t*, const float*, int64_t);
FUNCTION(void, stored_product, int, float*, int64_t, const float*, int64_t, const uint16_t*, int64_t, int64_t, int64_t, int64_t,
         int);
FUNCTION(int64_t, stored_embedding, int, float*, const uint16_t*, const int32_t*, int64_t, int64_t, int64_t);

static Halves halvesOf(int threads, const Floats& values) {
  Halves halves(values.size());
  tilth_store_weights(threads, halves.data(), values.data(), static_cast<int64_t>(values.size()));
  return halves;
}

KERNEL(store_weights) {
  for (int64_t count : kCounts) halvesOf(threads, Floats(count));
}

KERNEL(stored_product) {
  overPrecisions([&](int bf16) {
    for (int64_t m : {1, 2, 3, 5, 16, 17, 40})
      for (int64_t n : {1, 7, 65, 129})
        for (int64_t k : {1, 31, 65, 200}) {
          Floats a(span(m, k, k + 1)), out(span(m, n, n + 2));
          Halves weight = halvesOf(threads, Floats(n * k));
          tilth_stored_product(threads, out, n + 2, a, k + 1, weight.data(), k, m, n, k, bf16);
          out.keep();
        }
  });
}

KERNEL(stored_embedding) {
  for (int64_t width : kLengths) {
    Floats out(130 * width);
    Integers ids(9, 130);
    Halves table = halvesOf(threads, Floats(9 * width));
    tilth_stored_embedding(threads, out, table.data(), ids, 130, width, 9);
    out.keep();
  }
}
