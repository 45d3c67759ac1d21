// dynamic_map.cpp: builds the dynamic maps and what finds their nearest codes.
#include "abi/dynamic_map.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace cria {
namespace {

uint8_t count_below(const DynamicMap &map, float v) {
  return static_cast<uint8_t>(std::lower_bound(map.bounds, map.bounds + 255, v) - map.bounds);
}

float from_bits(uint32_t bits) {
  float v;
  std::memcpy(&v, &bits, sizeof v);
  return v;
}

DynamicMap build(bool has_sign) {
  DynamicMap map;
  for (int i = 0; i < 256; ++i) map.values[i] = dynamic_value(has_sign, i);
  for (int i = 0; i < 255; ++i) map.bounds[i] = (map.values[i] + map.values[i + 1]) / 2;
  map.bounds[255] = std::numeric_limits<float>::infinity();
  map.steps = 0;
  for (uint32_t upper = 0; upper < 8192; ++upper) {
    float least = from_bits(upper << 19), most = from_bits((upper << 19) | 0x7FFFF);
    if (least > most) std::swap(least, most);  // negative numbers
    if (std::isnan(least) || std::isnan(most)) {
      map.start[upper] = 0;
      continue;
    }
    map.start[upper] = count_below(map, least);
    const int apart = count_below(map, most) - map.start[upper];
    map.steps = static_cast<uint8_t>(std::max<int>(map.steps, apart));
  }
  return map;
}

}  // namespace

const DynamicMap &signed_dynamic_map() {
  static const DynamicMap map = build(true);
  return map;
}

const DynamicMap &unsigned_dynamic_map() {
  static const DynamicMap map = build(false);
  return map;
}

}  // namespace cria
