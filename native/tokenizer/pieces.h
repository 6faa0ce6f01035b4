// Pre-tokenization: UTF-8 text is cut into the pieces of GPT-2's, cl100k's, Llama 3's, Qwen 2's and o200k's patterns by
// hand-written scanners. The patterns stand in src/tokenizer/pre-tokenizer.ts, which is the specification.
#pragma once
#include <cstdint>

namespace tilth {

// Bits of a character's class (src/tokenizer/unicode-classes.ts).
constexpr uint8_t kLetter = 1, kNumber = 2, kSpace = 4, kUpper = 8, kLower = 16;

enum Pattern { kGpt2 = 0, kCl100k = 1, kLlama3 = 2, kQwen2 = 3, kO200k = 4 };

// The class of every code point: 0x110000 bytes, set once by the caller.
extern const uint8_t* classes;

struct Character {
  uint8_t bits;
  uint8_t bytes;
};

// The character at `at`, which must lie before the end of valid UTF-8.
inline Character character(const uint8_t* at) {
  const uint32_t first = at[0];
  if (first < 0x80) return {classes[first], 1};
  if (first < 0xe0) return {classes[(first & 0x1f) << 6 | (at[1] & 0x3f)], 2};
  if (first < 0xf0) return {classes[(first & 0x0f) << 12 | (at[1] & 0x3f) << 6 | (at[2] & 0x3f)], 3};
  return {classes[(first & 0x07) << 18 | (at[1] & 0x3f) << 12 | (at[2] & 0x3f) << 6 | (at[3] & 0x3f)], 4};
}

inline bool is_newline(uint8_t byte) { return byte == '\r' || byte == '\n'; }

// The end of the run of characters whose class has a bit of `wanted`, or with `kNone` has none.
template <bool kNone = false>
inline const uint8_t* run(const uint8_t* at, const uint8_t* end, uint8_t wanted) {
  while (at < end) {
    const Character one = character(at);
    if (((one.bits & wanted) != 0) == kNone) break;
    at += one.bytes;
  }
  return at;
}

// 's 't 're 've 'm 'll 'd from the apostrophe at `at` on: its end, or `at` where there is none. Without case, U+017F is an s.
template <bool kAnyCase>
inline const uint8_t* contraction(const uint8_t* at, const uint8_t* end) {
  if (end - at < 2 || at[0] != '\'') return at;
  const auto folded = [](uint8_t byte) -> uint8_t { return kAnyCase ? (byte | 0x20) : byte; };
  const uint8_t one = folded(at[1]);
  if (one == 's' || one == 't' || one == 'm' || one == 'd') return at + 2;
  if (end - at < 3) return at;
  if (kAnyCase && at[1] == 0xc5 && at[2] == 0xbf) return at + 3;
  const uint8_t two = folded(at[2]);
  if ((one == 'r' && two == 'e') || (one == 'v' && two == 'e') || (one == 'l' && two == 'l')) return at + 3;
  return at;
}

// White space that no other alternative took: all of it at the end of the text, else all but its last character, which
// belongs to what follows; a single one stands alone.
inline const uint8_t* spaces(const uint8_t* at, const uint8_t* end) {
  const uint8_t* last = at;
  const uint8_t* to = at;
  while (to < end) {
    const Character one = character(to);
    if (!(one.bits & kSpace)) break;
    last = to;
    to += one.bytes;
  }
  return to == end || last == at ? to : last;
}

inline const uint8_t* numbers(const uint8_t* at, const uint8_t* end, int most) {
  for (int count = 0; count < most && at < end; count++) {
    const Character one = character(at);
    if (!(one.bits & kNumber)) break;
    at += one.bytes;
  }
  return at;
}

// \s*[\r\n]+ within white space that starts at `at`: after its last line end, or `at` where it has none.
inline const uint8_t* through_newline(const uint8_t* at, const uint8_t* end) {
  const uint8_t* after = at;
  for (const uint8_t* to = at; to < end;) {
    const Character one = character(to);
    if (!(one.bits & kSpace)) break;
    to += one.bytes;
    if (is_newline(to[-1])) after = to;
  }
  return after;
}

inline const uint8_t* gpt2_piece(const uint8_t* at, const uint8_t* end) {
  const uint8_t* shortened = contraction<false>(at, end);
  if (shortened != at) return shortened;
  const uint8_t* start = at[0] == ' ' ? at + 1 : at;
  if (start < end) {
    const uint8_t bits = character(start).bits;
    if (bits & kLetter) return run(start, end, kLetter);
    if (bits & kNumber) return run(start, end, kNumber);
    if (!(bits & kSpace)) return run<true>(start, end, kLetter | kNumber | kSpace);
  }
  return spaces(at, end);
}

// cl100k's, Llama 3's and Qwen 2's differ in how many digits go together and in white space at the end of the text.
template <int kDigits, bool kWholeEnd>
inline const uint8_t* cl100k_piece(const uint8_t* at, const uint8_t* end) {
  const uint8_t* shortened = contraction<true>(at, end);
  if (shortened != at) return shortened;
  const Character first = character(at);
  if (first.bits & kLetter) return run(at, end, kLetter);
  if (first.bits & kNumber) return numbers(at, end, kDigits);
  if (!is_newline(at[0])) {
    const uint8_t* word = at + first.bytes;
    if (word < end && (character(word).bits & kLetter)) return run(word, end, kLetter);
  }
  const uint8_t* start = at[0] == ' ' ? at + 1 : at;
  if (start < end && !(character(start).bits & (kSpace | kLetter | kNumber))) {
    const uint8_t* to = run<true>(start, end, kSpace | kLetter | kNumber);
    while (to < end && is_newline(*to)) to++;
    return to;
  }
  if (kWholeEnd) {
    const uint8_t* to = run(at, end, kSpace);
    if (to == end) return to;
  }
  const uint8_t* line = through_newline(at, end);
  return line != at ? line : spaces(at, end);
}

// The words of o200k: [^\r\n\p{L}\p{N}]? U* W+ or [^\r\n\p{L}\p{N}]? U+ W*, then a contraction; U and W overlap in letters
// without case and marks, so that what backtracking would find is kept in `both`. `at` where there is none.
inline const uint8_t* o200k_word(const uint8_t* at, const uint8_t* end) {
  const Character first = character(at);
  const bool prefix = !(first.bits & (kLetter | kNumber)) && !is_newline(at[0]);
  const uint8_t* start = prefix ? at + first.bytes : at;
  const uint8_t* both = nullptr;
  const uint8_t* upper = start;
  while (upper < end) {
    const Character one = character(upper);
    if (!(one.bits & kUpper)) break;
    upper += one.bytes;
    if (one.bits & kLower) both = upper;
  }
  const uint8_t* lower = run(upper, end, kLower);
  const uint8_t* to = at;
  if (lower != upper) to = lower;
  else if (both != nullptr) to = both;
  else if (prefix && (first.bits & kLower)) to = start;
  else if (upper != start) to = upper;
  return to == at ? at : contraction<true>(to, end);
}

inline const uint8_t* o200k_piece(const uint8_t* at, const uint8_t* end) {
  const uint8_t* word = o200k_word(at, end);
  if (word != at) return word;
  if (character(at).bits & kNumber) return numbers(at, end, 3);
  const uint8_t* start = at[0] == ' ' ? at + 1 : at;
  if (start < end && !(character(start).bits & (kSpace | kLetter | kNumber))) {
    const uint8_t* to = run<true>(start, end, kSpace | kLetter | kNumber);
    while (to < end && (is_newline(*to) || *to == '/')) to++;
    return to;
  }
  const uint8_t* line = through_newline(at, end);
  return line != at ? line : spaces(at, end);
}

template <int kPattern>
inline const uint8_t* piece_end(const uint8_t* at, const uint8_t* end) {
  if (kPattern == kGpt2) return gpt2_piece(at, end);
  if (kPattern == kCl100k) return cl100k_piece<3, true>(at, end);
  if (kPattern == kLlama3) return cl100k_piece<3, false>(at, end);
  if (kPattern == kQwen2) return cl100k_piece<1, false>(at, end);
  return o200k_piece(at, end);
}

// Calls visit(start, length) for every piece.
template <int kPattern, typename Visit>
inline void pieces_of(const uint8_t* at, const uint8_t* end, Visit& visit) {
  while (at < end) {
    const uint8_t* to = piece_end<kPattern>(at, end);
    visit(at, to - at);
    at = to;
  }
}

template <typename Visit>
inline void for_each_piece(int pattern, const uint8_t* at, const uint8_t* end, Visit&& visit) {
  switch (pattern) {
    case kGpt2: return pieces_of<kGpt2>(at, end, visit);
    case kCl100k: return pieces_of<kCl100k>(at, end, visit);
    case kLlama3: return pieces_of<kLlama3>(at, end, visit);
    case kQwen2: return pieces_of<kQwen2>(at, end, visit);
    default: return pieces_of<kO200k>(at, end, visit);
  }
}

// A 64-bit hash of bytes.
inline uint64_t mix(uint64_t a, uint64_t b) {
  const unsigned __int128 product = static_cast<unsigned __int128>(a) * b;
  return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
}
inline uint64_t hash_bytes(const uint8_t* bytes, int64_t length) {
  uint64_t hash = 0x9e3779b97f4a7c15u ^ static_cast<uint64_t>(length);
  uint64_t word = 0;
  for (; length >= 8; bytes += 8, length -= 8) {
    __builtin_memcpy(&word, bytes, 8);
    hash = mix(hash ^ word, 0xe7037ed1a0b428dbu);
  }
  word = 0;
  __builtin_memcpy(&word, bytes, length);
  return mix(hash ^ word, 0x8ebc6af09c88c6e3u);
}

}  // namespace tilth

#define TILTH_EXPORT extern "C" __attribute__((visibility("default")))
