// settings.cpp: the settings, first read from the environment, and the places of synchronising calls.
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "abi/error.h"
#include "simt/emulator.h"
#include "simt/warp.h"

namespace cria::simt {

namespace {

[[noreturn]] void bad_setting(const std::string &key, const std::string &value) {
  fail(CRIA_INVALID_ARGUMENT, "simt: CRIA_SIMT: cannot use %s=%s", key.c_str(), value.c_str());
}

bool on_or_off(const std::string &key, const std::string &value) {
  if (value != "on" && value != "off") bad_setting(key, value);
  return value == "on";
}

void set(Settings &s, const std::string &key, const std::string &value) {
  if (key == "async" && value == "lazy")
    s.async = AsyncMode::lazy;
  else if (key == "async" && value == "eager")
    s.async = AsyncMode::eager;
  else if (key == "async" && value == "random")
    s.async = AsyncMode::random;
  else if (key == "mma" && value == "sequential")
    s.mma = MmaMode::sequential;
  else if (key == "mma" && value == "pairwise")
    s.mma = MmaMode::pairwise;
  else if (key == "mma" && value == "float64")
    s.mma = MmaMode::float64;
  else if (key == "seed" && !value.empty() &&
           value.find_first_not_of("0123456789") == std::string::npos)
    s.seed = std::strtoull(value.c_str(), nullptr, 10);
  else if (key == "checks")
    s.checks = on_or_off(key, value);
  else if (key == "counters")
    s.counters = on_or_off(key, value);
  else if (key == "arch")
    s.architecture = value;
  else if (key == "skip")
    s.skip = value;
  else
    bad_setting(key, value);
}

Settings from_environment() {
  const char *text = std::getenv("CRIA_SIMT");
  return parse_settings(text != nullptr ? text : "");
}

std::vector<Site> g_places;
std::string g_skip_file;
int g_skip_line = 0;  // 0: nothing is skipped

}  // namespace

Settings parse_settings(std::string rest) {
  Settings s;
  while (!rest.empty()) {
    size_t comma = rest.find(',');
    std::string entry = rest.substr(0, comma);
    size_t equals = entry.find('=');
    if (equals == std::string::npos) bad_setting(entry, "");
    set(s, entry.substr(0, equals), entry.substr(equals + 1));
    rest = comma == std::string::npos ? "" : rest.substr(comma + 1);
  }
  return s;
}

Settings &settings() {
  static Settings current = from_environment();
  return current;
}

void choose_skip(const std::string &skip) {
  size_t colon = skip.rfind(':');
  g_skip_line = colon == std::string::npos ? 0 : std::atoi(skip.c_str() + colon + 1);
  g_skip_file = skip.substr(0, colon);
  if (!skip.empty() && g_skip_line <= 0) bad_setting("skip", skip);
}

bool skipped(Site site) {
  bool known = false;
  for (const Site &place : g_places) known |= place.file == site.file && place.line == site.line;
  if (!known) g_places.push_back(site);
  return g_skip_line == site.line && g_skip_file == base_name(site.file);
}

std::vector<std::string> synchronising_places() {
  std::vector<std::string> out;
  for (const Site &place : g_places) {
    std::string text = base_name(place.file);
    text += ":" + std::to_string(place.line);
    bool known = false;
    for (const std::string &other : out) known |= other == text;
    if (!known) out.push_back(text);
  }
  return out;
}

void reset_synchronising_places() { g_places.clear(); }

}  // namespace cria::simt
