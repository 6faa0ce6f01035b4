// Repeated spans: a filter that passes over everything at a fixed cost in memory, and a suffix array over what it leaves.
#include <climits>
#include <new>

#include "suffix_array.h"
#include "words.h"

namespace {

constexpr uint64_t kBase = 0x9e3779b97f4a7c15ull;

uint64_t mixed(uint64_t hash) {
  hash ^= hash >> 32;
  hash *= 0xd6e8feb86659fd93ull;
  return hash ^ (hash >> 32);
}

// Calls visit(i, hash) for every window of `width` tokens, i its first.
template <typename Visit>
void for_each_window(const int32_t* first, const int32_t* second, int64_t tokens, int64_t width, Visit visit) {
  uint64_t power = 1;
  for (int64_t i = 1; i < width; i++) power *= kBase;
  const auto token = [&](int64_t i) { return mixed(tilth::joined(static_cast<uint32_t>(first[i]), static_cast<uint32_t>(second[i]))); };
  uint64_t hash = 0;
  for (int64_t i = 0; i < tokens; i++) {
    if (i >= width) hash -= token(i - width) * power;
    hash = hash * kBase + token(i);
    if (i >= width - 1) visit(i - width + 1, mixed(hash));
  }
}

// Marks what repeats: of equal windows of `width` tokens the first in the text stays, the tokens of the others are
// marked, except where they overlap the one that stays. Symbol 0 ends a document: no window crosses it.
template <typename Index>
void mark_repeats(const Index* text, Index length, Index symbols, Index width, uint8_t* marks) {
  std::vector<Index> order(static_cast<size_t>(length));
  tilth::sort_suffixes<Index>(text, length, symbols, order.data());
  std::vector<bool> whole(static_cast<size_t>(length), false);
  Index run = 0;
  for (Index i = length - 1; i >= 0; i--) {
    run = text[i] == 0 ? 0 : run + 1;
    whole[i] = run >= width;
  }
  const auto same = [&](Index a, Index b) { return std::equal(text + a, text + a + width, text + b); };
  for (Index i = 0; i < length;) {
    if (!whole[order[i]]) {
      i++;
      continue;
    }
    Index end = i + 1, kept = order[i];
    while (end < length && whole[order[end]] && same(order[i], order[end])) kept = std::min(kept, order[end++]);
    for (Index k = i; k < end; k++) {
      if (order[k] == kept) continue;
      for (Index token = std::max(order[k], kept + width); token < order[k] + width; token++) marks[token] = 1;
    }
    i = end;
  }
}

template <typename Index>
void mark_hashed(const int32_t* first, const int32_t* second, int64_t tokens, int64_t width, uint8_t* marks) {
  // Symbols are the ranks of the tokens' hashes; 0 stays the end of a document.
  std::vector<uint64_t> distinct(static_cast<size_t>(tokens));
  for (int64_t i = 0; i < tokens; i++) distinct[i] = tilth::joined(static_cast<uint32_t>(first[i]), static_cast<uint32_t>(second[i]));
  distinct.push_back(0);
  std::sort(distinct.begin(), distinct.end());
  distinct.erase(std::unique(distinct.begin(), distinct.end()), distinct.end());
  std::vector<Index> text(static_cast<size_t>(tokens));
  for (int64_t i = 0; i < tokens; i++) {
    const uint64_t key = tilth::joined(static_cast<uint32_t>(first[i]), static_cast<uint32_t>(second[i]));
    text[i] = static_cast<Index>(std::lower_bound(distinct.begin(), distinct.end(), key) - distinct.begin());
  }
  const Index symbols = static_cast<Index>(distinct.size());
  std::vector<uint64_t>().swap(distinct);
  mark_repeats<Index>(text.data(), static_cast<Index>(tokens), symbols, static_cast<Index>(width), marks);
}

}  // namespace

// First pass: enters every window of a document into two bit sets of 2^bits bits, `seen` and `repeated`.
TILTH_EXPORT void tilth_text_note_windows(const int32_t* first, const int32_t* second, int64_t tokens, int64_t width, uint8_t* seen,
                                          uint8_t* repeated, int32_t bits) {
  for_each_window(first, second, tokens, width, [&](int64_t, uint64_t hash) {
    const uint64_t bit = hash >> (64 - bits);
    const uint8_t mask = static_cast<uint8_t>(1u << (bit & 7));
    if (seen[bit >> 3] & mask) repeated[bit >> 3] |= mask;
    else seen[bit >> 3] |= mask;
  });
}

// Second pass: marks (1) the tokens of every window that may occur elsewhere. Returns how many tokens are marked.
TILTH_EXPORT int64_t tilth_text_mark_windows(const int32_t* first, const int32_t* second, int64_t tokens, int64_t width,
                                             const uint8_t* repeated, int32_t bits, uint8_t* marks) {
  int64_t marked = 0, covered = 0;
  for_each_window(first, second, tokens, width, [&](int64_t start, uint64_t hash) {
    const uint64_t bit = hash >> (64 - bits);
    if ((repeated[bit >> 3] & (1u << (bit & 7))) == 0) return;
    for (int64_t token = std::max(start, covered); token < start + width; token++) marks[token] = 1, marked++;
    covered = start + width;
  });
  return marked;
}

// Marks (1) the tokens of every repeat of at least `width` tokens in `tokens` tokens given by hashes; (0, 0) ends a
// document. The first occurrence is not marked. 64-bit indices beyond 2^31 tokens, or where `wide` asks for them.
// Memory: about 20 bytes a token (40 with 64 bits). Returns 0, or 1 where memory ran out.
TILTH_EXPORT int32_t tilth_text_mark_repeats(const int32_t* first, const int32_t* second, int64_t tokens, int64_t width,
                                             uint8_t* marks, int32_t wide) {
  try {
    if (wide != 0 || tokens >= INT32_MAX - 1) mark_hashed<int64_t>(first, second, tokens, width, marks);
    else mark_hashed<int32_t>(first, second, tokens, width, marks);
    return 0;
  } catch (const std::bad_alloc&) {
    return 1;
  }
}

// order[i] = start of the i-th smallest suffix of `text` (symbols in [0, symbols)), by 32-bit or, if `wide`, 64-bit indices.
TILTH_EXPORT int32_t tilth_text_suffix_array(const int32_t* text, int64_t length, int64_t symbols, int64_t* order, int32_t wide) {
  try {
    if (wide != 0 || length >= INT32_MAX - 1) {
      const std::vector<int64_t> copy(text, text + length);
      tilth::sort_suffixes<int64_t>(copy.data(), length, symbols, order);
    } else {
      std::vector<int32_t> narrow(static_cast<size_t>(length));
      tilth::sort_suffixes<int32_t>(text, static_cast<int32_t>(length), static_cast<int32_t>(symbols), narrow.data());
      std::copy(narrow.begin(), narrow.end(), order);
    }
    return 0;
  } catch (const std::bad_alloc&) {
    return 1;
  }
}
