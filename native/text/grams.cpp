// Membership of a text's n-grams in a set: decontamination. Reads the text once; one random read of the table an n-gram.
#include <algorithm>

#include "words.h"

namespace {

uint64_t key_of(uint32_t first, uint32_t second) {
  const uint64_t key = tilth::joined(first, second);
  return key == 0 ? 1 : key;  // 0 marks a free slot
}

}  // namespace

// The hashes of all n-grams of `n` words of a text. Fills at most `capacity` and returns how many there are.
TILTH_EXPORT int64_t tilth_text_grams(const uint16_t* text, int64_t units, const uint8_t* flags, const uint16_t* lower, int64_t n,
                                      int32_t* first, int32_t* second, int64_t capacity) {
  static thread_local std::vector<tilth::Word> words;
  tilth::find_words(tilth::kWords, text, units, flags, lower, words);
  const int64_t grams = std::max<int64_t>(0, static_cast<int64_t>(words.size()) - n + 1);
  for (int64_t gram = 0; gram < std::min(grams, capacity); gram++) {
    uint32_t a, b;
    tilth::hash_gram(&words[gram], n, a, b);
    first[gram] = static_cast<int32_t>(a);
    second[gram] = static_cast<int32_t>(b);
  }
  return grams;
}

// Enters `count` n-grams into a table of `slots` (a power of two, at least twice the count, all 0): keys[slot] is the
// n-gram's hash, values[slot] the index of the first one with it. Returns the number of distinct ones.
TILTH_EXPORT int64_t tilth_text_gram_table(const int32_t* first, const int32_t* second, int64_t count, uint64_t* keys,
                                           uint32_t* values, int64_t slots) {
  int64_t distinct = 0;
  for (int64_t gram = 0; gram < count; gram++) {
    const uint64_t key = key_of(static_cast<uint32_t>(first[gram]), static_cast<uint32_t>(second[gram]));
    uint64_t slot = key & static_cast<uint64_t>(slots - 1);
    while (keys[slot] != 0 && keys[slot] != key) slot = (slot + 1) & static_cast<uint64_t>(slots - 1);
    if (keys[slot] == key) continue;
    keys[slot] = key;
    values[slot] = static_cast<uint32_t>(gram);
    distinct++;
  }
  return distinct;
}

// The n-grams of a text that are in the table: place (code units) and value. Fills at most `capacity` and returns how
// many there are.
TILTH_EXPORT int64_t tilth_text_find_grams(const uint16_t* text, int64_t units, const uint8_t* flags, const uint16_t* lower,
                                           int64_t n, const uint64_t* keys, const uint32_t* values, int64_t slots,
                                           int32_t* starts, int32_t* ends, uint32_t* found, int64_t capacity) {
  static thread_local std::vector<tilth::Word> words;
  tilth::find_words(tilth::kWords, text, units, flags, lower, words);
  const int64_t grams = static_cast<int64_t>(words.size()) - n + 1;
  int64_t count = 0;
  for (int64_t gram = 0; gram < grams; gram++) {
    uint32_t a, b;
    tilth::hash_gram(&words[gram], n, a, b);
    const uint64_t key = key_of(a, b);
    uint64_t slot = key & static_cast<uint64_t>(slots - 1);
    while (keys[slot] != 0 && keys[slot] != key) slot = (slot + 1) & static_cast<uint64_t>(slots - 1);
    if (keys[slot] == 0) continue;
    if (count < capacity) {
      starts[count] = words[gram].start;
      ends[count] = words[gram + n - 1].end;
      found[count] = values[slot];
    }
    count++;
  }
  return count;
}
