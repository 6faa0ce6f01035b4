// Which processor a thread of the pool runs on, and whose memory its pages are in.
#pragma once
#include <cstdint>
#include <vector>

namespace tilth {

// Threads are pinned where a team has one for every processor that this process may use (its affinity mask, which cgroups
// and launchers such as mpirun narrow). Smaller teams stay with the system's scheduler, which knows who else is there;
// larger ones must. TILTH_PIN=off never pins, TILTH_PIN=on also pins smaller teams, to the mask's first processors.
struct Placement {
  Placement();  // by the mask of the thread that makes it, before any is pinned
  // Pins the calling thread, or gives it all processors of the mask.
  void place(int thread, int teamThreads) const;
  bool pins(int teamThreads) const;

 private:
  std::vector<int> processors_;
  bool allowed_ = true, smallerToo_ = false;
};

// Memory lies where it is first written to. On machines with several NUMA nodes each thread of a team writes to the part of
// new memory that it has in kernels; does nothing elsewhere.
void firstTouch(int threads, void* memory, int64_t bytes);

// The same without asking how many nodes there are.
void touchPages(int threads, void* memory, int64_t bytes);

}  // namespace tilth
