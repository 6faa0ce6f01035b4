#include "../harness.h"

FUNCTION(int64_t, embedding, int, float*, const float*, const int32_t*, int64_t, int64_t, int64_t);
FUNCTION(int64_t, embedding_backward, int, float*, const float*, const int32_t*, int64_t, int64_t, int64_t);

KERNEL(embedding) {
  overMatrices([=](int64_t tokens, int64_t width) {
    Floats table(11 * width), rows(tokens * width);
    Integers ids(11, tokens);
    tilth_embedding(threads, rows, table, ids, tokens, width, 11);
    rows.keep();
  });
}

KERNEL(embedding_backward) {
  overMatrices([=](int64_t tokens, int64_t width) {
    Floats table(11 * width), gradient(tokens * width);
    Integers ids(11, tokens);
    tilth_embedding_backward(threads, table, gradient, ids, tokens, width, 11);
    table.keep();
  });
}
