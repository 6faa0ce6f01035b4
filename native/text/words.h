// The words of a text as hashes: what MinHash, decontamination and repeated spans compare.
#pragma once
#include <cstdint>
#include <vector>

namespace tilth {

// Bits of the table of character flags that the caller passes (src/corpus/normalise/characters.ts).
constexpr uint8_t kLetter = 1, kDigit = 2, kSpace = 4, kNewline = 8, kUnspaced = 16;
constexpr uint8_t kWordPart = kLetter | kDigit, kWhite = kSpace | kNewline;

// Murmur3's finaliser.
inline uint32_t finalise(uint32_t hash) {
  hash ^= hash >> 16;
  hash *= 0x85ebca6bu;
  hash ^= hash >> 13;
  hash *= 0xc2b2ae35u;
  return hash ^ (hash >> 16);
}

// Two independent 32-bit hashes and the place (code units) of a word.
struct Word {
  uint32_t first, second;
  int32_t start, end;
};

// kWords: runs of letters and digits in lower case, everything else between them ignored; a letter of a script without
// spaces is a word. kTokens: runs of letters and digits as written, and every other visible character by itself.
enum Mode { kWords = 0, kTokens = 1 };

// Calls `emit(Word)` for every word. text: UTF-16 code units; flags, lower: one entry a code unit.
template <Mode mode, typename Emit>
inline void for_each_word(const uint16_t* text, int64_t units, const uint8_t* flags, const uint16_t* lower, Emit emit) {
  uint32_t a = 0, b = 0;
  int64_t start = -1;
  const auto end_word = [&](int64_t end) {
    const uint32_t length = static_cast<uint32_t>(end - start);
    emit(Word{finalise(a), finalise(b ^ length), static_cast<int32_t>(start), static_cast<int32_t>(end)});
    start = -1;
  };
  const auto begin_word = [&](int64_t index) {
    start = index;
    a = 0x811c9dc5u;
    b = 0x165667b1u;
  };
  const auto take = [&](uint32_t unit) {
    a = (a ^ unit) * 0x01000193u;
    b = (b + unit) * 0x5bd1e995u;
    b ^= b >> 24;
  };
  for (int64_t index = 0; index < units; index++) {
    const uint32_t unit = text[index];
    const uint8_t flag = flags[unit];
    // A low surrogate has no flags of its own: it continues the word that its first half began.
    const bool continues = (flag & kWordPart) != 0 || (start >= 0 && (unit & 0xfc00) == 0xdc00);
    if (start >= 0 && (!continues || (flag & kUnspaced) != 0)) end_word(index);
    if (!continues) {
      if (mode == kTokens && (flag & kWhite) == 0) {
        begin_word(index);
        take(unit);
        end_word(index + 1);
      }
      continue;
    }
    if (start < 0) begin_word(index);
    take(mode == kWords ? lower[unit] : unit);
  }
  if (start >= 0) end_word(units);
}

inline void find_words(Mode mode, const uint16_t* text, int64_t units, const uint8_t* flags, const uint16_t* lower,
                       std::vector<Word>& words) {
  words.clear();
  const auto add = [&](const Word& word) { words.push_back(word); };
  if (mode == kWords) for_each_word<kWords>(text, units, flags, lower, add);
  else for_each_word<kTokens>(text, units, flags, lower, add);
}

// The hashes of the n-gram that begins at `words`.
inline void hash_gram(const Word* words, int64_t n, uint32_t& first, uint32_t& second) {
  uint32_t a = 0x2545f491u, b = 0x9e3779b9u;
  for (int64_t word = 0; word < n; word++) {
    a = (a ^ words[word].first) * 0x85ebca6bu;
    a ^= a >> 15;
    b = (b + words[word].second) * 0x27d4eb2fu;
    b ^= b >> 13;
  }
  first = finalise(a);
  second = finalise(b);
}

inline uint64_t joined(uint32_t first, uint32_t second) { return static_cast<uint64_t>(first) << 32 | second; }

}  // namespace tilth

#define TILTH_EXPORT extern "C" __attribute__((visibility("default")))
// One library serves every processor; the loops that gain from wide vectors are compiled for several and chosen at load.
#if !defined(TILTH_NO_CLONES) && defined(__x86_64__) && defined(__linux__) && defined(__GNUC__) && !defined(__clang__)
#define TILTH_CLONES __attribute__((target_clones("avx512f", "avx2", "sse4.2", "default")))
#else
#define TILTH_CLONES
#endif
