// Dropout (Srivastava et al. 2014) without a stored mask: whether element i is kept follows from (key, i) alone, so that the
// backward pass and a repeated forward pass drop the same ones. x, out [count], both f32 or both bf16; read and written once: bound by memory.
#include "bfloat16.h"
#include "pool.h"

namespace {

constexpr int64_t kGrain = 16384;  // floats below which another thread costs more than it saves

// 24 random bits of element i: murmur3's finalizer over index and key.
inline uint32_t bitsOf(uint32_t index, uint32_t key) {
  uint32_t hash = (index + 1) * 0x9E3779B9u ^ key;
  hash = (hash ^ (hash >> 16)) * 0x85EBCA6Bu;
  hash = (hash ^ (hash >> 13)) * 0xC2B2AE35u;
  return (hash ^ (hash >> 16)) >> 8;
}

}  // namespace

// out may be x. Elements whose bits are below `limit` (of 2^24) become 0, the others x · factor.
TILTH_EXPORT void tilth_dropout(int threads, void* out, const void* x, int bf16, int64_t count, int64_t limit, float factor,
                                int64_t key) {
  tilth::Timer timer;
  const int32_t bound = static_cast<int32_t>(limit);
  const uint32_t mixed = static_cast<uint32_t>(key);
  tilth::withNumber(bf16, [&](auto number) {
    auto* to = static_cast<decltype(number)*>(out);
    auto* from = static_cast<const decltype(number)*>(x);
    tilth::parallelFor(threads, count, kGrain, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; i++) {
        const bool dropped = static_cast<int32_t>(bitsOf(static_cast<uint32_t>(i), mixed)) < bound;
        tilth::storeOne(to + i, dropped ? 0.0f : tilth::toFloat(from[i]) * factor);
      }
    });
  });
}
