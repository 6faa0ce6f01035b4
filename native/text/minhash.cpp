// MinHash signatures. Reads the text once; work: functions x shingles multiply-adds, bound by the vector units.
#include <algorithm>
#include <climits>

#include "words.h"

namespace {

// Shingles are walked in blocks that stay in the first-level cache while all hash functions pass over them.
constexpr int64_t kBlock = 1024;

// minima[f] = min(minima[f], multiplier_a[f] * first[s] + multiplier_b[f] * second[s]) over the block's shingles.
TILTH_CLONES void take_minima(int32_t* minima, const uint32_t* multiplier_a, const uint32_t* multiplier_b, int64_t functions,
                              const uint32_t* first, const uint32_t* second, int64_t shingles) {
  for (int64_t function = 0; function < functions; function++) {
    const uint32_t a = multiplier_a[function], b = multiplier_b[function];
    int32_t minimum = minima[function];
    for (int64_t shingle = 0; shingle < shingles; shingle++) {
      const int32_t value = static_cast<int32_t>(a * first[shingle] + b * second[shingle]);
      minimum = value < minimum ? value : minimum;
    }
    minima[function] = minimum;
  }
}

}  // namespace

// The signature of a text over shingles of `shingle_words` words: `functions` minima. Returns the number of shingles;
// with fewer than `minimum_shingles` nothing is written.
TILTH_EXPORT int64_t tilth_text_signature(const uint16_t* text, int64_t units, const uint8_t* flags, const uint16_t* lower,
                                          int64_t shingle_words, int64_t minimum_shingles, const uint32_t* multiplier_a,
                                          const uint32_t* multiplier_b, int64_t functions, int32_t* minima) {
  static thread_local std::vector<tilth::Word> words;
  tilth::find_words(tilth::kWords, text, units, flags, lower, words);
  const int64_t shingles = std::max<int64_t>(0, static_cast<int64_t>(words.size()) - shingle_words + 1);
  if (shingles < minimum_shingles) return shingles;
  std::fill(minima, minima + functions, INT32_MAX);
  uint32_t first[kBlock], second[kBlock];
  for (int64_t start = 0; start < shingles; start += kBlock) {
    const int64_t count = std::min(kBlock, shingles - start);
    for (int64_t shingle = 0; shingle < count; shingle++) {
      tilth::hash_gram(&words[start + shingle], shingle_words, first[shingle], second[shingle]);
    }
    take_minima(minima, multiplier_a, multiplier_b, functions, first, second, count);
  }
  return shingles;
}

// The words of a text (mode 0) or its tokens (mode 1), see words.h. Fills at most `capacity` entries of each array and
// returns how many there are.
TILTH_EXPORT int64_t tilth_text_words(int32_t mode, const uint16_t* text, int64_t units, const uint8_t* flags,
                                      const uint16_t* lower, int32_t* first, int32_t* second, int32_t* starts, int32_t* ends,
                                      int64_t capacity) {
  int64_t count = 0;
  const auto add = [&](const tilth::Word& word) {
    if (count < capacity) {
      first[count] = static_cast<int32_t>(word.first);
      second[count] = static_cast<int32_t>(word.second);
      starts[count] = word.start;
      ends[count] = word.end;
    }
    count++;
  };
  if (mode == tilth::kWords) tilth::for_each_word<tilth::kWords>(text, units, flags, lower, add);
  else tilth::for_each_word<tilth::kTokens>(text, units, flags, lower, add);
  return count;
}
