// system_memory.cpp: small blocks from the C library, larger ones mapped, the largest in huge pages.
#include "cpu/system_memory.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>

#include "cpu/rounding.h"

namespace cria::cpu {
namespace {

constexpr int64_t kPage = 4096;
constexpr int64_t kHugePage = 2 << 20;
constexpr int64_t kHuge = 8 << 20;  // From here on huge pages waste little.

}  // namespace

int64_t mapped_size(int64_t bytes) { return round_up(bytes, bytes < kHuge ? kPage : kHugePage); }

void *system_allocate(int64_t bytes) {
  if (bytes > kMost) return nullptr;
  if (bytes < kMapped) {
    return std::aligned_alloc(64, static_cast<size_t>(round_up(std::max<int64_t>(bytes, 1), 64)));
  }
  const int64_t size = mapped_size(bytes);
  if (bytes < kHuge) {
    void *data = mmap(nullptr, static_cast<size_t>(size), PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return data == MAP_FAILED ? nullptr : data;
  }
  char *base = static_cast<char *>(mmap(nullptr, static_cast<size_t>(size + kHugePage),
                                        PROT_READ | PROT_WRITE,
                                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
  if (base == MAP_FAILED) return nullptr;
  char *start = reinterpret_cast<char *>(round_up(reinterpret_cast<intptr_t>(base), kHugePage));
  if (start > base) munmap(base, static_cast<size_t>(start - base));
  if (start < base + kHugePage) {
    munmap(start + size, static_cast<size_t>(base + kHugePage - start));
  }
  madvise(start, static_cast<size_t>(size), MADV_HUGEPAGE);
  return start;
}

void system_free(void *data, int64_t bytes) {
  if (!data) return;
  if (bytes < kMapped) {
    std::free(data);
  } else {
    munmap(data, static_cast<size_t>(mapped_size(bytes)));
  }
}

void system_trim(void *data, int64_t old_bytes, int64_t bytes) {
  const int64_t excess = mapped_size(old_bytes) - mapped_size(bytes);
  if (excess > 0) {
    munmap(static_cast<char *>(data) + mapped_size(bytes), static_cast<size_t>(excess));
  }
}

}  // namespace cria::cpu
