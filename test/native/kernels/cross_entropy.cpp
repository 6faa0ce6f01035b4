#include "../harness.h"

FUNCTION(int64_t, head_cross_entropy, int, float*, const float*, const float*, const float*, const int32_t*, float*, float*,
         float*, int64_t, int64_t, int64_t, int);

namespace {

void crossEntropy(int threads, int64_t tokens, int64_t width, int64_t vocabulary) {
  Floats losses(tokens), x(tokens * width), weight(vocabulary * width), dx(tokens * width), dw(vocabulary * width);
  Floats bias(vocabulary), db(vocabulary);
  Integers targets(vocabulary, tokens);
  targets[0] = -1;
  overPrecisions([&](int bf16) {
    tilth_head_cross_entropy(threads, losses, x, weight, nullptr, targets, nullptr, nullptr, nullptr, tokens, width, vocabulary, bf16);
    tilth_head_cross_entropy(threads, losses, x, weight, bias, targets, dx, dw, db, tokens, width, vocabulary, bf16);
    if (!bf16) db.keep();
    tilth_head_cross_entropy(threads, losses, x, weight, nullptr, targets, dx, dw, nullptr, tokens, width, vocabulary, bf16);
    if (bf16) return;
    for (const Floats* result : {&losses, &dx, &dw}) result->keep();
  });
}

}  // namespace

KERNEL(head_cross_entropy) {
  crossEntropy(threads, 1, 7, 17);
  crossEntropy(threads, 65, 33, 5003);
  crossEntropy(threads, 129, 17, 2049);
}
