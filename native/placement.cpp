#include "placement.h"

#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string>
#if defined(__linux__)
#include <sched.h>
#endif

#include "pool.h"

namespace tilth {

Placement::Placement() {
  const char* asked = std::getenv("TILTH_PIN");
  allowed_ = !asked || std::strcmp(asked, "off") != 0;
  smallerToo_ = asked && std::strcmp(asked, "on") == 0;
#if defined(__linux__)
  cpu_set_t mask;
  if (sched_getaffinity(0, sizeof mask, &mask) == 0)
    for (int processor = 0; processor < CPU_SETSIZE; processor++)
      if (CPU_ISSET(processor, &mask)) processors_.push_back(processor);
#endif
}

bool Placement::pins(int teamThreads) const {
  const int available = static_cast<int>(processors_.size());
  return allowed_ && teamThreads > 1 && (teamThreads == available || (smallerToo_ && teamThreads < available));
}

void Placement::place([[maybe_unused]] int thread, [[maybe_unused]] int teamThreads) const {
#if defined(__linux__)
  if (processors_.empty()) return;
  cpu_set_t mask;
  CPU_ZERO(&mask);
  if (pins(teamThreads)) CPU_SET(processors_[static_cast<size_t>(thread)], &mask);
  else
    for (int processor : processors_) CPU_SET(processor, &mask);
  sched_setaffinity(0, sizeof mask, &mask);  // where it is refused, the scheduler places the thread
#endif
}

void touchPages(int threads, void* memory, int64_t bytes) {
  constexpr int64_t kPage = 4096;
  parallel(threads, [&](int thread, const Team& team) {
    const Range mine = partOf(bytes, thread, team.threads, kPage);
    for (int64_t at = mine.begin; at < mine.end; at += kPage) static_cast<volatile char*>(memory)[at] = 0;
  });
}

void firstTouch(int threads, void* memory, int64_t bytes) {
  static const bool severalNodes = [] {
    std::string nodes;
    std::getline(std::ifstream("/sys/devices/system/node/online"), nodes);
    return nodes.find_first_of(",-") != std::string::npos;
  }();
  if (severalNodes) touchPages(threads, memory, bytes);
}

}  // namespace tilth
