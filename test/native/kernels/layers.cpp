#include "../harness.h"

FUNCTION(void, layer_norm, int, float*, float*, float*, const float*, const float*, const float*, const float*, float*, int64_t,
         int64_t, float);
FUNCTION(void, layer_norm_backward, int, float*, float*, float*, const float*, const float*, const float*, const float*,
         const float*, const float*, int64_t, int64_t);
FUNCTION(void, head_norm, int, float*, float*, const float*, const float*, const float*, int64_t, int64_t, int64_t, int64_t,
         int64_t, float);
FUNCTION(void, head_norm_backward, int, float*, float*, float*, const float*, const float*, const float*, const float*,
         const float*, int64_t, int64_t, int64_t, int64_t, int64_t);
FUNCTION(void, activation, int, float*, const float*, int64_t, int);
FUNCTION(void, activation_backward, int, float*, const float*, const float*, int64_t, int);
FUNCTION(void, dropout, int, float*, const float*, int64_t, int64_t, float, int64_t);
FUNCTION(int64_t, mean_rows, int, float*, const float*, const int32_t*, const int32_t*, int64_t, int64_t, int64_t);
FUNCTION(int64_t, mean_rows_backward, int, float*, const float*, const int32_t*, const int32_t*, int64_t, int64_t, int64_t);

KERNEL(layer_norm) {
  overMatrices([=](int64_t rows, int64_t width) {
    Floats x(rows * width), out(rows * width), delta(rows * width), weight(width), bias(width), mean(rows), inverse(rows);
    tilth_layer_norm(threads, out, mean, inverse, x, weight, bias, nullptr, nullptr, rows, width, 1e-2f);
    out.keep();
    tilth_layer_norm(threads, out, mean, inverse, x, weight, bias, delta, nullptr, rows, width, 1e-2f);
    tilth_layer_norm(threads, out, mean, inverse, x, weight, bias, delta, delta, rows, width, 1e-2f);
    out.keep();
    delta.keep();
  });
}

KERNEL(layer_norm_backward) {
  overMatrices([=](int64_t rows, int64_t width) {
    Floats x(rows * width), gradient(rows * width), out(rows * width), weight(width), mean(rows), inverse(rows);
    Floats weightGradient(width), biasGradient(width);
    for (float* past : {static_cast<float*>(nullptr), out.data()})
      tilth_layer_norm_backward(threads, out, weightGradient, biasGradient, gradient, x, weight, mean, inverse, past, rows, width);
    for (const Floats* result : {&out, &weightGradient, &biasGradient}) result->keep();
  });
}

KERNEL(head_norm) {
  overMatrices([=](int64_t tokens, int64_t size) {
    Floats x(tokens * 4 * size), out(tokens * 4 * size), inverse(tokens * 3), query(size), key(size);
    tilth_head_norm(threads, out, inverse, x, query, key, tokens, 4 * size, 2, 1, size, 1e-5f);
    out.keep();
  });
}

KERNEL(head_norm_backward) {
  overMatrices([=](int64_t tokens, int64_t size) {
    Floats x(tokens * 4 * size), out(tokens * 4 * size), inverse(tokens * 3), query(size), key(size), dq(size), dk(size);
    tilth_head_norm_backward(threads, out, dq, dk, out, x, query, key, inverse, tokens, 4 * size, 2, 1, size);
    for (const Floats* result : {&out, &dq, &dk}) result->keep();
  });
}

KERNEL(activation) {
  for (int64_t count : kCounts)
    for (int kind = 0; kind < 4; kind++) {
      Floats x(count), out(count);
      tilth_activation(threads, out, x, count, kind);
      out.keep();
    }
}

KERNEL(activation_backward) {
  for (int64_t count : kCounts)
    for (int kind = 0; kind < 4; kind++) {
      Floats x(count), gradient(count);
      tilth_activation_backward(threads, gradient, gradient, x, count, kind);
      gradient.keep();
    }
}

KERNEL(dropout) {
  for (int64_t count : kCounts) {
    Floats x(count), out(count);
    tilth_dropout(threads, out, x, count, 1 << 22, 1.5f, 77);
    out.keep();
  }
}

KERNEL(mean_rows) {
  overMatrices([=](int64_t rows, int64_t width) {
    Floats x(rows * width), out(2 * width);
    const int32_t from[] = {0, 0}, to[] = {static_cast<int32_t>(rows), static_cast<int32_t>(rows / 2)};
    tilth_mean_rows(threads, out, x, from, to, 2, width, rows);
    out.keep();
  });
}

KERNEL(mean_rows_backward) {
  overMatrices([=](int64_t rows, int64_t width) {
    Floats x(rows * width), gradient(2 * width);
    const int32_t from[] = {0, 0}, to[] = {static_cast<int32_t>(rows), static_cast<int32_t>(rows / 2)};
    tilth_mean_rows_backward(threads, x, gradient, from, to, 2, width, rows);
    x.keep();
  });
}
