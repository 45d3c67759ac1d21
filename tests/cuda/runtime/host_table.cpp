// host_table.cpp: the table of functions with those of the host side alone: what kernels serve is null here, not linked.
#include "host/operations.h"

namespace cria::gpu {
#define CRIA_LIBRARY(name)
#define CRIA_DEVICE(name) extern __attribute__((weak)) decltype(::cria_##name) name;
#include "abi/entry_points.inc"
}  // namespace cria::gpu

#include "host/table.cpp"
