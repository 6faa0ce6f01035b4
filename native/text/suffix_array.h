// Suffix arrays by induced sorting (Nong, Zhang and Chan 2009, SA-IS): linear time, for any integer alphabet.
#pragma once
#include <algorithm>
#include <cstdint>
#include <vector>

namespace tilth {

// order[i] = start of the i-th smallest suffix of text[0, length). Symbols lie in [0, symbols). Index is int32_t for texts
// of fewer than 2^31 - 1 symbols and int64_t beyond; both give the same order. Memory: about 2.5 indices a symbol.
template <typename Index>
void sort_suffixes(const Index* text, Index length, Index symbols, Index* order) {
  if (length == 0) return;
  if (length == 1) {
    order[0] = 0;
    return;
  }
  // Type S: the suffix is smaller than the next one. The last one is of type L: what follows it, the end, is smaller.
  std::vector<bool> is_s(static_cast<size_t>(length), false);
  for (Index i = length - 2; i >= 0; i--) is_s[i] = text[i] < text[i + 1] || (text[i] == text[i + 1] && is_s[i + 1]);
  const auto is_lms = [&](Index i) { return i > 0 && is_s[i] && !is_s[i - 1]; };

  std::vector<Index> bucket_starts(static_cast<size_t>(symbols) + 1, 0), edge(static_cast<size_t>(symbols));
  for (Index i = 0; i < length; i++) bucket_starts[text[i] + 1]++;
  for (Index symbol = 0; symbol < symbols; symbol++) bucket_starts[symbol + 1] += bucket_starts[symbol];
  const auto to_starts = [&] { std::copy(bucket_starts.begin(), bucket_starts.end() - 1, edge.begin()); };
  const auto to_ends = [&] { std::copy(bucket_starts.begin() + 1, bucket_starts.end(), edge.begin()); };

  const auto induce = [&](const std::vector<Index>& lms_in_order) {
    std::fill(order, order + length, Index(-1));
    to_ends();
    for (size_t i = lms_in_order.size(); i-- > 0;) order[--edge[text[lms_in_order[i]]]] = lms_in_order[i];
    to_starts();
    order[edge[text[length - 1]]++] = length - 1;
    for (Index i = 0; i < length; i++) {
      const Index before = order[i] - 1;
      if (before >= 0 && !is_s[before]) order[edge[text[before]]++] = before;
    }
    to_ends();
    for (Index i = length - 1; i >= 0; i--) {
      const Index before = order[i] - 1;
      if (before >= 0 && is_s[before]) order[--edge[text[before]]] = before;
    }
  };

  std::vector<Index> lms;
  for (Index i = 1; i < length; i++)
    if (is_lms(i)) lms.push_back(i);
  induce(lms);
  if (lms.size() <= 1) return;

  // Names for the LMS substrings, in their order; equal ones share a name.
  const Index count = static_cast<Index>(lms.size());
  std::vector<Index> sorted;
  sorted.reserve(lms.size());
  for (Index i = 0; i < length; i++)
    if (is_lms(order[i])) sorted.push_back(order[i]);
  // No two LMS positions are neighbours, so half their place is a name's index.
  std::vector<Index> name_at(static_cast<size_t>(length) / 2 + 1, Index(-1));
  const auto same = [&](Index a, Index b) {
    for (Index k = 0;; k++) {
      if (a + k >= length || b + k >= length) return false;
      if (text[a + k] != text[b + k] || is_s[a + k] != is_s[b + k]) return false;
      if (k > 0 && (is_lms(a + k) || is_lms(b + k))) return is_lms(a + k) && is_lms(b + k);
    }
  };
  Index names = 0;
  name_at[sorted[0] / 2] = 0;
  for (Index i = 1; i < count; i++) {
    if (!same(sorted[i - 1], sorted[i])) names++;
    name_at[sorted[i] / 2] = names;
  }
  names++;
  if (names < count) {
    std::vector<Index> reduced(lms.size()), reduced_order(lms.size());
    for (Index i = 0; i < count; i++) reduced[i] = name_at[lms[i] / 2];
    std::vector<Index>().swap(name_at);
    sort_suffixes<Index>(reduced.data(), count, names, reduced_order.data());
    for (Index i = 0; i < count; i++) sorted[i] = lms[reduced_order[i]];
  }
  induce(sorted);
}

}  // namespace tilth
