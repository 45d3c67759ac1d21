// memory_account.cpp: books what callers hold on a device. Compiled into libcria and into every device library.
#include <cinttypes>

#include "abi/device.h"
#include "abi/error.h"

namespace cria {

void MemoryAccount::reserve(const char *operation, int64_t bytes) {
  int64_t before = live.load();
  int64_t after;
  do {
    after = before + bytes;
    const int64_t most = limit.load();
    if (most > 0 && after > most) {
      fail(CRIA_OUT_OF_MEMORY,
           "%s: %" PRId64 " bytes would exceed the limit: %" PRId64 " live, limit %" PRId64,
           operation, bytes, before, most);
    }
  } while (!live.compare_exchange_weak(before, after));
  int64_t top = peak.load();
  while (top < after && !peak.compare_exchange_weak(top, after)) {
  }
  ++objects;
}

void MemoryAccount::release(int64_t bytes) {
  live -= bytes;
  --objects;
}

}  // namespace cria
