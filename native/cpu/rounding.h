// rounding.h: quotients and multiples of sizes, rounded up.
#pragma once

#include <cstdint>

namespace cria::cpu {

inline int64_t divide_up(int64_t n, int64_t unit) { return (n + unit - 1) / unit; }
inline int64_t round_up(int64_t n, int64_t unit) { return divide_up(n, unit) * unit; }

}  // namespace cria::cpu
