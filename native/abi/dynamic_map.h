// dynamic_map.h: the 8-bit "dynamic" number formats of block-wise quantisation and the search for the nearest code.
#pragma once

#include <cstdint>
#include <cstring>

namespace cria {

// 256 ascending values in [-1, 1]. The signed map quantises NF4 scales and first moments, the unsigned
// one second moments. Source: Dettmers et al. 2022, in the bits that bitsandbytes computes.
struct DynamicMap {
  float values[256];
  float bounds[256];  // bounds[i] = (values[i] + values[i + 1]) / 2 in float32; bounds[255] = inf
  // By the upper 16 bits of a float: the code of the least such number. That of any other is the same or the next one: bounds
  // are at least 0.9/128 of their decade apart, such numbers at most 1/128 of their power of two.
  uint8_t start[65536];
};

// Value `code` of a map, as a constant expression so that GPU kernels may call it. Seven decades, each with twice as many
// values as the one below: the midpoints of n + 1 evenly spaced points on [0.1, 1]; and 0 and 1.
constexpr float dynamic_value(bool has_sign, int code) {
  const int zero = has_sign ? 127 : 0, least_bits = has_sign ? 0 : 1;
  if (code == zero || code == 255) return code == zero ? 0.0f : 1.0f;
  // Counted from zero, the values have the numbers 2^bits + j: the jth of n = 2^bits of its decade.
  const int number = (code < zero ? zero - code : code - zero) + least_bits;
  int bits = least_bits;
  while (number >> (bits + 1)) ++bits;
  const int n = 1 << bits, j = number - n;
  const double start = 0.1f, step = (1.0f - 0.1f) / static_cast<float>(n);
  // Float64 holds every product and sum exactly: one rounding to float32 each. Points count from the nearer end.
  const float low = static_cast<float>(j < (n + 1) / 2 ? start + step * j : 1 - step * (n - j));
  const float high =
      static_cast<float>(j + 1 < (n + 1) / 2 ? start + step * (j + 1) : 1 - step * (n - j - 1));
  const float decades[] = {1e-6f, 1e-5f, 1e-4f, 1e-3f, 1e-2f, 1e-1f, 1.0f};
  const float value = decades[bits - least_bits] * ((low + high) / 2);
  return code < zero ? -value : value;
}

const DynamicMap &signed_dynamic_map();
const DynamicMap &unsigned_dynamic_map();

// Smaller block maxima are treated as this one, so that the reciprocal stays finite.
constexpr float kLeastMaximum = 1e-38f;

// The number of bounds below v: the nearest value, the lower one on a tie. v is not NaN.
static inline uint8_t nearest_code(const DynamicMap &map, float v) {
  uint32_t bits;
  std::memcpy(&bits, &v, sizeof bits);
  const uint8_t code = map.start[bits >> 16];
  return static_cast<uint8_t>(code + (v > map.bounds[code]));
}

}  // namespace cria
