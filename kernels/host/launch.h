// launch.h: how an operation launches a kernel, on CUDA and on the emulator alike.
#pragma once

#include <initializer_list>
#include <tuple>
#include <utility>

#include "host/gpu_device.h"

namespace cria::gpu {

// Launches kernel(arguments...) on the queue: `threads` must be those of its CRIA_KERNEL, `shared_bytes` what it carves. A
// grid without blocks is no launch. `name` is that of counters and reports.
template <class... Parameters, class... Arguments>
void launch(GpuQueue &queue, const char *name, void (*kernel)(Parameters...), Grid grid,
            int threads, int shared_bytes, Arguments... arguments) {
  if (grid.x <= 0 || grid.y <= 0 || grid.z <= 0) return;
  KernelLaunch what{name, grid, threads, shared_bytes, nullptr, nullptr, {}};
  std::tuple<Parameters...> values(static_cast<Parameters>(arguments)...);
#if defined(CRIA_SIMT)
  what.body = [kernel, values] { std::apply(kernel, values); };
  queue.gpu().runtime->launch(queue.stream, what);
#else
  std::apply(
      [&](auto &...value) {
        void *addresses[] = {static_cast<void *>(&value)..., nullptr};
        what.function = reinterpret_cast<const void *>(kernel);
        what.arguments = addresses;
        queue.gpu().runtime->launch(queue.stream, what);
      },
      values);
#endif
}

// Whether rows of c floats at these addresses can be read as vectors of 4: c a multiple of 4, all aligned to 16 bytes (null
// is). Tensors of the interface need only the alignment of their element.
inline bool vectors_of_4(int64_t c, std::initializer_list<const void *> addresses) {
  uintptr_t bits = static_cast<uintptr_t>(c % 4);
  for (const void *a : addresses) bits |= reinterpret_cast<uintptr_t>(a) % 16;
  return bits == 0;
}

}  // namespace cria::gpu
