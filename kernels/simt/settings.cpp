// settings.cpp: how launches run, first read from the environment.
#include <cstdlib>
#include <string>

#include "abi/error.h"
#include "simt/emulator.h"

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

}  // namespace cria::simt
