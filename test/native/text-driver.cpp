// Calls every text kernel over random texts and tokens in buffers of exactly the size that the contract states, so that a
// sanitizer sees what reads or writes past them. Results are the other tests' business.
#include <cstdint>
#include <cstdio>
#include <memory>
#include <vector>

#define FUNCTION(result, name, ...) extern "C" result tilth_text_##name(__VA_ARGS__)
using Units = const uint16_t*;
using Flags = const uint8_t*;
FUNCTION(int64_t, words, int32_t, Units, int64_t, Flags, Units, int32_t*, int32_t*, int32_t*, int32_t*, int64_t);
FUNCTION(int64_t, signature, Units, int64_t, Flags, Units, int64_t, int64_t, const uint32_t*, const uint32_t*, int64_t, int32_t*);
FUNCTION(int64_t, grams, Units, int64_t, Flags, Units, int64_t, int32_t*, int32_t*, int64_t);
FUNCTION(int64_t, gram_table, const int32_t*, const int32_t*, int64_t, uint64_t*, uint32_t*, int64_t);
FUNCTION(int64_t, find_grams, Units, int64_t, Flags, Units, int64_t, const uint64_t*, const uint32_t*, int64_t, int32_t*, int32_t*,
         uint32_t*, int64_t);
FUNCTION(void, note_windows, const int32_t*, const int32_t*, int64_t, int64_t, uint8_t*, uint8_t*, int32_t);
FUNCTION(int64_t, mark_windows, const int32_t*, const int32_t*, int64_t, int64_t, const uint8_t*, int32_t, uint8_t*);
FUNCTION(int32_t, mark_repeats, const int32_t*, const int32_t*, int64_t, int64_t, uint8_t*, int32_t);
FUNCTION(void, scan, Units, int64_t, Flags, int32_t*, int32_t*, int32_t*, uint8_t*, int64_t, int32_t*, int32_t*, int32_t*, int32_t*,
         int64_t, double*);
FUNCTION(int32_t, suffix_array, const int32_t*, int64_t, int64_t, int64_t*, int32_t);

namespace {

uint32_t state = 12345;
uint32_t below(uint32_t bound) {
  state = state * 1664525u + 1013904223u;
  return static_cast<uint32_t>((static_cast<uint64_t>(state) * bound) >> 32);
}

// Heap memory of exactly that many values, so that what is past it is not ours.
template <typename Value>
std::unique_ptr<Value[]> values(int64_t count) {
  return std::unique_ptr<Value[]>(new Value[static_cast<size_t>(count)]());
}

void texts(const uint8_t* flags, const uint16_t* lower, int64_t units) {
  auto text = values<uint16_t>(units);
  const char alphabet[] = "ab ,\nB7.";
  for (int64_t i = 0; i < units; i++) text[i] = below(20) == 0 ? static_cast<uint16_t>(below(65536)) : alphabet[below(8)];
  for (const int64_t capacity : {int64_t{0}, units / 3, units}) {
    auto a = values<int32_t>(capacity), b = values<int32_t>(capacity), c = values<int32_t>(capacity), d = values<int32_t>(capacity);
    for (const int mode : {0, 1})
      tilth_text_words(mode, text.get(), units, flags, lower, a.get(), b.get(), c.get(), d.get(), capacity);
    auto kinds = values<uint8_t>(capacity);
    auto e = values<int32_t>(capacity), f = values<int32_t>(capacity), g = values<int32_t>(capacity);
    auto figures = values<double>(13);
    tilth_text_scan(text.get(), units, flags, a.get(), b.get(), c.get(), kinds.get(), capacity, d.get(), e.get(), f.get(), g.get(),
                    capacity, figures.get());
    const int64_t n = 1 + below(6);
    const int64_t grams = tilth_text_grams(text.get(), units, flags, lower, n, a.get(), b.get(), capacity);
    const int64_t held = grams < capacity ? grams : capacity;
    int64_t slots = 2;
    while (slots < held * 2) slots *= 2;
    auto keys = values<uint64_t>(slots);
    auto names = values<uint32_t>(slots), found = values<uint32_t>(capacity);
    tilth_text_gram_table(a.get(), b.get(), held, keys.get(), names.get(), slots);
    tilth_text_find_grams(text.get(), units, flags, lower, n, keys.get(), names.get(), slots, c.get(), d.get(), found.get(), capacity);
  }
  const int64_t functions = 1 + below(130);
  auto odd = values<uint32_t>(functions);
  for (int64_t i = 0; i < functions; i++) odd[i] = below(1u << 31) | 1;
  auto minima = values<int32_t>(functions);
  tilth_text_signature(text.get(), units, flags, lower, 1 + below(7), below(3), odd.get(), odd.get(), functions, minima.get());
}

void spans(int64_t tokens) {
  auto first = values<int32_t>(tokens), second = values<int32_t>(tokens);
  for (int64_t i = 0; i < tokens; i++) first[i] = second[i] = static_cast<int32_t>(below(4)) * -77;
  const int64_t width = 1 + below(9);
  const int bits = 3 + static_cast<int>(below(9));
  auto seen = values<uint8_t>((1 << bits) / 8), repeated = values<uint8_t>((1 << bits) / 8), marks = values<uint8_t>(tokens);
  tilth_text_note_windows(first.get(), second.get(), tokens, width, seen.get(), repeated.get(), bits);
  tilth_text_mark_windows(first.get(), second.get(), tokens, width, repeated.get(), bits, marks.get());
  auto order = values<int64_t>(tokens);
  auto symbols = values<int32_t>(tokens);
  for (int64_t i = 0; i < tokens; i++) symbols[i] = static_cast<int32_t>(below(5));
  for (const int wide : {0, 1}) {
    tilth_text_mark_repeats(first.get(), second.get(), tokens, width, marks.get(), wide);
    tilth_text_suffix_array(symbols.get(), tokens, 5, order.get(), wide);
  }
}

}  // namespace

int main() {
  auto flags = values<uint8_t>(65536);
  auto lower = values<uint16_t>(65536);
  for (int unit = 0; unit < 65536; unit++) {
    const bool letter = (unit >= 'a' && unit <= 'z') || (unit >= 'A' && unit <= 'Z') || (unit > 200 && unit % 3 == 0);
    flags[unit] = static_cast<uint8_t>(letter ? 1 : unit >= '0' && unit <= '9' ? 2 : unit == ' ' ? 4 : unit == '\n' ? 8 : 0);
    if (unit > 10000 && unit % 9 == 0) flags[unit] |= 16;
    lower[unit] = static_cast<uint16_t>(unit);
  }
  for (int round = 0; round < 300; round++) {
    texts(flags.get(), lower.get(), below(round < 20 ? 8 : 3000));
    spans(below(round < 20 ? 6 : 1500));
  }
  std::puts("all text kernels were called");
}
