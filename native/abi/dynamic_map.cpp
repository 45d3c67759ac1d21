// dynamic_map.cpp: builds the dynamic maps bit for bit, with explicit fused multiply-adds.
#include "abi/dynamic_map.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace cria {
namespace {

// Point j of n evenly spaced ones on [0.1, 1], from the nearer end.
float point(int j, int n) {
  const float start = 0.1f, end = 1.0f;
  const float step = (end - start) / static_cast<float>(n - 1);
  return j < n / 2 ? std::fma(step, static_cast<float>(j), start)
                   : std::fma(-step, static_cast<float>(n - 1 - j), end);
}

// Seven decades, each with twice as many values as the one below: the midpoints of evenly spaced points.
void build_values(bool has_sign, float *values) {
  int count = 0;
  for (int i = 0; i < 7; ++i) {
    const float decade = static_cast<float>(std::pow(10.0, i - 6));
    const int n = (1 << (has_sign ? i : i + 1)) + 1;
    for (int j = 0; j + 1 < n; ++j) {
      const float value = decade * ((point(j, n) + point(j + 1, n)) / 2);
      values[count++] = value;
      if (has_sign) values[count++] = -value;
    }
  }
  values[count++] = 0.0f;
  values[count++] = 1.0f;
  std::sort(values, values + count);
}

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
  build_values(has_sign, map.values);
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
