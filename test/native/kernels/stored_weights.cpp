#include "../harness.h"

typedef std::vector<uint16_t> Halves;

FUNCTION(void, store_weights, int, uint16_t*, const float*, int64_t);
FUNCTION(int64_t, stored_embedding, int, float*, const uint16_t*, const int32_t*, int64_t, int64_t, int64_t);

static Halves halvesOf(int threads, const Floats& values) {
  Halves halves(values.size());
  tilth_store_weights(threads, halves.data(), values.data(), static_cast<int64_t>(values.size()));
  return halves;
}

KERNEL(store_weights) {
  for (int64_t count : kCounts) halvesOf(threads, Floats(count));
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
