// The native kernels' driver: every exported function has an entry, KERNEL(name) { … }, that calls it over odd shapes with
// buffers of exactly the size that its contract states, so that a sanitizer sees what reads or writes past them. An entry
// runs on several numbers of threads. What it hands to `keep` can be compared between two builds.
#pragma once
#include <cstdint>
#include <functional>
#include <vector>

#define FUNCTION(result, name, ...) extern "C" result tilth_##name(__VA_ARGS__)
#define KERNEL(name)                                                     \
  static void call_##name([[maybe_unused]] int threads);                 \
  [[maybe_unused]] static const bool entered_##name = enter(#name, call_##name); \
  static void call_##name([[maybe_unused]] int threads)

typedef void (*Call)(int threads);
bool enter(const char* name, Call call);

// Results of the entry that is running, in the order of the calls; nothing is kept of what runs in bf16, which not all have.
void keep(const float* values, int64_t count);

// The next of a sequence in [−1, 1) that starts anew for every entry.
float next();

// Heap memory of exactly that many floats, at no better alignment than malloc gives.
struct Floats : std::vector<float> {
  explicit Floats(int64_t count) : std::vector<float>(static_cast<size_t>(count)) {
    for (float& value : *this) value = next();
  }
  operator float*() { return data(); }
  void keep() const { ::keep(data(), static_cast<int64_t>(size())); }
};

// The same in bfloat16, or in f32.
struct Numbers {
  const bool bf16;
  Floats floats;
  std::vector<uint16_t> halves;

  Numbers(int64_t count, bool inBfloat16)
      : bf16(inBfloat16), floats(bf16 ? 0 : count), halves(static_cast<size_t>(bf16 ? count : 0)) {
    for (uint16_t& half : halves) half = static_cast<uint16_t>(0x3f80 + static_cast<int>(next() * 100));
  }
  operator void*() { return bf16 ? static_cast<void*>(halves.data()) : floats.data(); }
  void keep() const {
    if (!bf16) floats.keep();
  }
};

// Integers in [0, limit).
struct Integers : std::vector<int32_t> {
  Integers(int64_t limit, int64_t count) : std::vector<int32_t>(static_cast<size_t>(count)) {
    for (int32_t& one : *this) one = static_cast<int32_t>((next() + 1.0f) * 0.499f * static_cast<float>(limit));
  }
  operator int32_t*() { return data(); }
};

// Elements of `rows` rows of `width`, `stride` apart: the last row ends with its last element.
inline int64_t span(int64_t rows, int64_t width, int64_t stride) { return (rows - 1) * stride + width; }

constexpr int64_t kLengths[] = {1, 7, 17, 63, 65, 129};
constexpr int64_t kCounts[] = {1, 7, 65, 40001};

// Calls body(rows, width) for odd shapes.
inline void overMatrices(const std::function<void(int64_t, int64_t)>& body) {
  for (int64_t rows : kLengths)
    for (int64_t width : kLengths) body(rows, width);
}

// Calls body(bf16) for numbers of both types, which every library has.
inline void overTypes(const std::function<void(bool)>& body) {
  for (bool bf16 : {false, true}) body(bf16);
}

extern bool keeping;
extern uint32_t sequence;  // of `next`

// Calls body(bf16) in f32, then in bf16 where this library multiplies in it.
FUNCTION(int64_t, has_bf16, );
inline void overPrecisions(const std::function<void(int)>& body) {
  for (int bf16 = 0; bf16 <= static_cast<int>(tilth_has_bf16()); bf16++) {
    keeping = bf16 == 0;
    const uint32_t before = sequence;
    body(bf16);
    if (bf16) sequence = before;  // what follows gets the same numbers where there is no bf16
  }
  keeping = true;
}
