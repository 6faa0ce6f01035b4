// Calls every kernel over odd shapes with buffers of exactly the size that the contract states, so that a sanitizer sees
// what reads or writes past them. Results are the other tests' business; here only the memory and the threads count.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <thread>
#include <vector>

#define FUNCTION(result, name, ...) extern "C" result tilth_##name(__VA_ARGS__)
FUNCTION(void, fill, int, float*, float, int64_t);
FUNCTION(void, copy, int, float*, int64_t, const float*, int64_t, int64_t, int64_t);
FUNCTION(void, add, int, float*, const float*, const float*, int64_t);
FUNCTION(void, scale, int, float*, const float*, float, int64_t);
FUNCTION(void, sum, int, float*, const float*, int64_t);
FUNCTION(void, norm, int, float*, const float*, int64_t);
FUNCTION(void, matmul, int, float*, int64_t, const float*, int64_t, int, const float*, int64_t, int, int64_t, int64_t, int64_t,
         int, int);
FUNCTION(int64_t, embedding, int, float*, const float*, const int32_t*, int64_t, int64_t, int64_t);
FUNCTION(int64_t, embedding_backward, int, float*, const float*, const int32_t*, int64_t, int64_t, int64_t);
FUNCTION(void, rms_norm, int, float*, float*, const float*, const float*, const float*, float*, int64_t, int64_t, float);
FUNCTION(void, rms_norm_backward, int, float*, float*, const float*, const float*, const float*, const float*, const float*,
         int64_t, int64_t);
FUNCTION(int64_t, rope, int, float*, int64_t, const float*, int64_t, const float*, const int32_t*, int64_t, int64_t, int64_t,
         int64_t, int64_t, int);
FUNCTION(void, attention, int, const float*, int64_t, const float*, int64_t, const float*, int64_t, float*, int64_t, float*,
         const int32_t*, const int32_t*, int64_t, int64_t, int64_t, int64_t, int64_t, int64_t, float, int, int);
FUNCTION(void, attention_backward, int, const float*, int64_t, const float*, int64_t, const float*, int64_t, const float*,
         int64_t, const float*, const float*, int64_t, float*, int64_t, float*, int64_t, float*, int64_t, const int32_t*,
         const int32_t*, int64_t, int64_t, int64_t, int64_t, int64_t, int64_t, float, int, int);
FUNCTION(void, swiglu, int, float*, const float*, int64_t, int64_t);
FUNCTION(void, swiglu_backward, int, float*, const float*, const float*, int64_t, int64_t);
FUNCTION(int64_t, head_cross_entropy, int, float*, const float*, const float*, const int32_t*, float*, float*, int64_t, int64_t,
         int64_t, int);
FUNCTION(int64_t, muon, int, float*, const float*, float*, const float*, int64_t, int64_t, double, double, double, double,
         double, int);
FUNCTION(void, adamw, int, float*, const float*, float*, float*, const float*, int64_t, double, double, double, double, double,
         double, double);
FUNCTION(void, patches, int, float*, const float*, int64_t, int64_t, int64_t, int64_t, int64_t, int64_t);
FUNCTION(void, add_rows, int, float*, int64_t, const float*, int64_t, const float*, int64_t, int64_t, int64_t);
FUNCTION(void, add_rows_backward, int, float*, const float*, int64_t, int64_t, int64_t, int64_t);
FUNCTION(void, l2_normalize, int, float*, float*, const float*, int64_t, int64_t);
FUNCTION(void, l2_normalize_backward, int, float*, const float*, const float*, const float*, int64_t, int64_t);
FUNCTION(int64_t, contrastive_loss, int, float*, const float*, const float*, const float*, const float*, float*, float*, float*,
         float*, int64_t, int64_t, int);
FUNCTION(uintptr_t, allocate, int64_t);
FUNCTION(void, release, uintptr_t);
FUNCTION(void, write, void*, const void*, int64_t);
FUNCTION(void, read, void*, const void*, int64_t);
FUNCTION(double, peak_flops, int, double, int);
FUNCTION(int64_t, has_bf16, );
FUNCTION(double, kernel_seconds, );

namespace {

uint32_t state = 12345;
float next() {
  state = state * 1664525u + 1013904223u;
  return static_cast<float>(state >> 8) / 8388608.0f - 1.0f;
}

// Heap memory of exactly that many floats, at no better alignment than malloc gives.
struct Floats : std::vector<float> {
  explicit Floats(int64_t count) : std::vector<float>(static_cast<size_t>(count)) {
    for (float& value : *this) value = next();
  }
  operator float*() { return data(); }
};

std::vector<int32_t> idsBelow(int32_t limit, int64_t count) {
  std::vector<int32_t> ids(static_cast<size_t>(count));
  for (int32_t& id : ids) id = static_cast<int32_t>((next() + 1.0f) * 0.499f * static_cast<float>(limit));
  return ids;
}

// Elements of `rows` rows of `width`, `stride` apart: the last row ends with its last element.
int64_t span(int64_t rows, int64_t width, int64_t stride) { return (rows - 1) * stride + width; }

void elementwise(int threads, int64_t count) {
  Floats a(count), b(count), out(count), one(1);
  tilth_fill(threads, out, 1.0f, count);
  tilth_add(threads, out, a, b, count);
  tilth_scale(threads, out, a, 0.5f, count);
  tilth_sum(threads, one, a, count);
  tilth_norm(threads, one, a, count);
  tilth_adamw(threads, a, b, out, a, one, count, 0.01, 0.9, 0.95, 1e-8, 0.1, 2, 1);
}

void rowwise(int threads, int64_t rows, int64_t width) {
  Floats x(rows * width), y(rows * width), z(rows * width), weight(width), weightGradient(width), perRow(rows);
  Floats wide(2 * rows * width), wider(2 * rows * width), strided(span(rows, width, width + 3));
  tilth_copy(threads, strided, width + 3, x, width, rows, width);
  tilth_rms_norm(threads, y, perRow, x, weight, nullptr, nullptr, rows, width, 1e-5f);
  tilth_rms_norm(threads, y, perRow, x, weight, z, x, rows, width, 1e-5f);
  tilth_rms_norm_backward(threads, y, weightGradient, z, x, weight, perRow, nullptr, rows, width);
  tilth_rms_norm_backward(threads, y, weightGradient, z, x, weight, perRow, y, rows, width);
  tilth_swiglu(threads, y, wide, rows, width);
  tilth_swiglu_backward(threads, wider, y, wide, rows, width);
  Floats table(11 * width);
  auto ids = idsBelow(11, rows);
  tilth_embedding(threads, y, table, ids.data(), rows, width, 11);
  tilth_embedding_backward(threads, table, y, ids.data(), rows, width, 11);
  Floats norm(1), momentum(rows * width);
  for (int bf16 = 0; bf16 <= tilth_has_bf16(); bf16++)
    tilth_muon(threads, x, y, momentum, norm, rows, width, 0.1, 0.95, 0.1, 1, 1, bf16);
}

void product(int threads, int64_t m, int64_t n, int64_t k) {
  for (int bf16 = 0; bf16 <= tilth_has_bf16(); bf16++)
    for (int turned = 0; turned < 4; turned++)
      for (int64_t extra = 0; extra < 4; extra += 3) {
        int64_t aRows = turned & 1 ? k : m, aWidth = turned & 1 ? m : k, bRows = turned & 2 ? n : k, bWidth = turned & 2 ? k : n;
        Floats a(span(aRows, aWidth, aWidth + extra)), b(span(bRows, bWidth, bWidth + extra)), c(span(m, n, n + extra));
        tilth_matmul(threads, c, n + extra, a, aWidth + extra, turned & 1, b, bWidth + extra, turned >> 1, m, n, k,
                     static_cast<int>(extra), bf16);
      }
}

void attention(int threads, int64_t sequences, int64_t queries, int64_t keys, int64_t heads, int64_t keyHeads, int64_t size,
               int causal) {
  int64_t width = heads * size, keyWidth = keyHeads * size, tokens = sequences * queries, others = sequences * keys;
  Floats q(span(tokens, width, width + 1)), k(span(others, keyWidth, keyWidth + 2)), v(span(others, keyWidth, keyWidth));
  Floats out(tokens * width), sums(heads * tokens), gradient(tokens * width);
  Floats dq(span(tokens, width, width + 1)), dk(span(others, keyWidth, keyWidth + 2)), dv(span(others, keyWidth, keyWidth));
  auto from = idsBelow(static_cast<int32_t>(keys), tokens), to = idsBelow(static_cast<int32_t>(keys + 1), tokens);
  for (int mode = 0; mode < 2 + 2 * static_cast<int>(tilth_has_bf16()); mode++) {
    const int masked = mode % 2, bf16 = mode / 2;
    const int32_t *first = masked ? from.data() : nullptr, *last = masked ? to.data() : nullptr;
    tilth_attention(threads, q, width + 1, k, keyWidth + 2, v, keyWidth, out, width, sums, first, last, sequences, queries,
                    keys, heads, keyHeads, size, 0.3f, causal, bf16);
    tilth_attention_backward(threads, q, width + 1, k, keyWidth + 2, v, keyWidth, out, width, sums, gradient, width, dq,
                             width + 1, dk, keyWidth + 2, dv, keyWidth, first, last, sequences, queries, keys, heads, keyHeads,
                             size, 0.3f, causal, bf16);
  }
}

void rope(int threads, int64_t tokens, int64_t heads, int64_t size, int64_t rest) {
  int64_t width = heads * size + rest;
  Floats x(span(tokens, width, width + 1)), out(span(tokens, width, width + 2)), table(7 * size);
  auto positions = idsBelow(7, tokens);
  tilth_rope(threads, out, width + 2, x, width + 1, table, positions.data(), tokens, width, heads, size, 7, 0);
  tilth_rope(threads, x, width + 1, x, width + 1, table, positions.data(), tokens, width, heads, size, 7, 1);
}

void crossEntropy(int threads, int64_t tokens, int64_t width, int64_t vocabulary) {
  Floats losses(tokens), x(tokens * width), weight(vocabulary * width), dx(tokens * width), dw(vocabulary * width);
  auto targets = idsBelow(static_cast<int32_t>(vocabulary), tokens);
  targets[0] = -1;
  for (int bf16 = 0; bf16 <= tilth_has_bf16(); bf16++) {
    tilth_head_cross_entropy(threads, losses, x, weight, targets.data(), nullptr, nullptr, tokens, width, vocabulary, bf16);
    tilth_head_cross_entropy(threads, losses, x, weight, targets.data(), dx, dw, tokens, width, vocabulary, bf16);
  }
}

void images(int threads, int64_t count, int64_t side, int64_t patch, int64_t leading) {
  int64_t grid = side / patch, rows = count * (leading + grid * grid), width = 3 * patch * patch;
  Floats pixels(count * 3 * side * side), out(rows * width), table((leading + grid * grid) * width);
  tilth_patches(threads, out, pixels, count, 3, side, side, patch, leading);
  tilth_add_rows(threads, out, width, out, width, table, rows, width, leading + grid * grid);
  tilth_add_rows_backward(threads, table, out, width, rows, width, leading + grid * grid);
  Floats strided(span(rows, width, width + 2)), one(width);
  tilth_add_rows(threads, strided, width + 2, out, width, one, rows, width, 1);
  tilth_add_rows_backward(threads, one, strided, width + 2, rows, width, 1);
}

void contrastive(int threads, int64_t pairs, int64_t width) {
  Floats a(pairs * width), b(pairs * width), x(pairs * width), y(pairs * width), perRow(pairs), one(5);
  tilth_l2_normalize(threads, x, perRow, a, pairs, width);
  tilth_l2_normalize_backward(threads, y, a, x, perRow, pairs, width);
  for (int bf16 = 0; bf16 <= tilth_has_bf16(); bf16++)
    for (int bias = 0; bias < 2; bias++) {
      float* offset = bias ? &one[2] : nullptr;
      tilth_contrastive_loss(threads, &one[0], a, b, &one[1], offset, nullptr, nullptr, nullptr, nullptr, pairs, width, bf16);
      tilth_contrastive_loss(threads, &one[0], a, b, &one[1], offset, x, y, &one[3], bias ? &one[4] : nullptr, pairs, width,
                             bf16);
    }
}

void everything(int threads) {
  const int64_t lengths[] = {1, 7, 17, 63, 65, 129};
  for (int64_t count : {1, 7, 65, 40001}) elementwise(threads, count);
  for (int i = 0; i < 6; i++)
    for (int j = 0; j < 6; j++) rowwise(threads, lengths[i], lengths[j]);
  for (int i = 0; i < 6; i++)
    for (int j = 0; j < 6; j++) product(threads, lengths[i], lengths[j], lengths[(i + j) % 6]);
  product(threads, 100, 33, 1030);
  product(threads, 3, 2100, 70);
  for (int64_t size : {2, 17, 32, 64, 80, 128}) {
    attention(threads, 2, 65, 65, 2, 1, size, 1);
    attention(threads, 1, 7, 129, 2, 2, size, 1);
    attention(threads, 1, 1, 70, 4, 2, size, 0);
    rope(threads, 65, 3, size / 2 * 2, 5);
  }
  crossEntropy(threads, 1, 7, 17);
  crossEntropy(threads, 65, 33, 5003);
  crossEntropy(threads, 129, 17, 2049);
  images(threads, 3, 10, 5, 1);
  images(threads, 2, 63, 7, 0);
  for (int64_t pairs : {1, 7, 65, 129}) contrastive(threads, pairs, 17);
  contrastive(threads, 2101, 3);
}

}  // namespace

// driver <repetitions>: everything on 1, 2 and 4 threads, and from two callers at once.
int main(int count, char** words) {
  const int repetitions = count > 1 ? std::atoi(words[1]) : 1;
  for (int repetition = 0; repetition < repetitions; repetition++)
    for (int threads : {1, 2, 4}) everything(threads);
  // Ten thousand tiny jobs on changing teams: each must be complete when the call returns.
  Floats values(70000), ones(70000);
  tilth_fill(1, ones, 1.0f, 70000);
  tilth_fill(1, values, 0.0f, 70000);
  for (int job = 0; job < 10000; job++) tilth_add(1 + job % 4, values, values, ones, job % 10 == 0 ? 70000 : 20000);
  for (int i = 0; i < 70000; i++)
    if (values[i] != (i < 20000 ? 10000.0f : 1000.0f)) {
      std::printf("element %d is %f after all jobs\n", i, values[i]);
      return 1;
    }
  auto caller = [] {
    for (int job = 0; job < 200; job++) {
      std::vector<float> mine(50000);
      tilth_fill(3, mine.data(), 2.0f, 50000);
      for (float value : mine)
        if (value != 2.0f) std::abort();
    }
  };
  std::thread other(caller);
  caller();
  other.join();
  uintptr_t memory = tilth_allocate(3 << 20);
  float pair[2] = {1, 2}, back[2];
  tilth_write(reinterpret_cast<void*>(memory), pair, 8);
  tilth_read(back, reinterpret_cast<void*>(memory), 8);
  tilth_release(memory);
  for (int bf16 = 0; bf16 <= tilth_has_bf16(); bf16++) tilth_peak_flops(2, 0.01, bf16);
  std::printf("all kernels were called, %f s inside them\n", tilth_kernel_seconds());
  return back[1] == 2 ? 0 : 1;
}
