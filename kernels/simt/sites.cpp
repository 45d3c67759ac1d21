// sites.cpp: numbers for places in kernel source, and which of them synchronise.
#include "simt/sites.h"

#include <cstdlib>
#include <cstring>
#include <vector>

#include "abi/error.h"
#include "simt/emulator.h"

namespace cria::simt {

KnownSite g_known_sites[kSiteSlots];

namespace {

std::vector<Site> g_sites;
std::vector<bool> g_synchronising;  // by site: ran since the last reset
std::string g_skip_file;
int g_skip_line = 0;  // 0: nothing is left out

}  // namespace

uint32_t find_site(Site site) {
  auto address = static_cast<uint32_t>(reinterpret_cast<uintptr_t>(site.file));
  KnownSite &slot =
      g_known_sites[(address ^ static_cast<uint32_t>(site.line) * 2654435761u >> 20) % kSiteSlots];
  size_t id = 0;
  // The same file has several addresses where several sources include it.
  while (id < g_sites.size() && !same_place(g_sites[id], site)) id++;
  if (id == g_sites.size()) {
    if (id == kMaxSites) report("more than %u places access memory", kMaxSites);
    g_sites.push_back(site);
    g_synchronising.push_back(false);
  }
  slot = {site.file, site.line, uint32_t(id)};
  return slot.id;
}

Site site_of(uint32_t id) { return g_sites[id]; }

std::string place_of(uint32_t id) {
  return base_name(g_sites[id].file) + (":" + std::to_string(g_sites[id].line));
}

const char *base_name(const char *path) {
  const char *slash = std::strrchr(path, '/');
  return slash != nullptr ? slash + 1 : path;
}

void choose_skip(const std::string &skip) {
  size_t colon = skip.rfind(':');
  g_skip_line = colon == std::string::npos ? 0 : std::atoi(skip.c_str() + colon + 1);
  g_skip_file = skip.substr(0, colon);
  if (!skip.empty() && g_skip_line <= 0)
    fail(CRIA_INVALID_ARGUMENT, "simt: cannot skip \"%s\": expected file.cu:line", skip.c_str());
}

bool skipped(Site site) {
  uint32_t id = site_id(site);
  if (!g_synchronising[id]) g_synchronising[id] = true;
  return g_skip_line == site.line && g_skip_file == base_name(site.file);
}

std::vector<std::string> synchronising_places() {
  std::vector<std::string> out;
  for (uint32_t id = 0; id < g_sites.size(); id++)
    if (g_synchronising[id]) out.push_back(place_of(id));
  return out;
}

void reset_synchronising_places() { g_synchronising.assign(g_sites.size(), false); }

}  // namespace cria::simt
