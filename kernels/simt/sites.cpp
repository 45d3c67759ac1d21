// sites.cpp: numbers for places in kernel source, and which of them synchronise.
#include "simt/sites.h"

#include <cstdlib>
#include <cstring>
#include <deque>
#include <set>
#include <vector>

#include "abi/error.h"
#include "simt/emulator.h"

namespace cria::simt {

KnownSite g_known_sites[kSiteSlots];

namespace {

struct Entry {
  Site site;
  std::string place;
  std::set<std::string> kernels;  // that came here to synchronise since the last reset
  const char *last_kernel;        // the last of them
};
std::deque<Entry> g_sites;
const char *g_kernel = "";
std::string g_skip_file;
int g_skip_line = 0;  // 0: nothing is left out

}  // namespace

uint32_t find_site(Site site) {
  auto address = static_cast<uint32_t>(reinterpret_cast<uintptr_t>(site.file));
  KnownSite &slot =
      g_known_sites[(address ^ static_cast<uint32_t>(site.line) * 2654435761u >> 20) % kSiteSlots];
  size_t id = 0;
  // The same file has several addresses where several sources include it.
  while (id < g_sites.size() && !same_place(g_sites[id].site, site)) id++;
  if (id == g_sites.size()) {
    if (id == kMaxSites) report("more than %u places access memory", kMaxSites);
    g_sites.push_back(
        {site, base_name(site.file) + (":" + std::to_string(site.line)), {}, nullptr});
  }
  slot = {site.file, site.line, uint32_t(id)};
  return slot.id;
}

const char *place_of(uint32_t id) { return g_sites[id].place.c_str(); }

const char *base_name(const char *path) {
  const char *slash = std::strrchr(path, '/');
  return slash != nullptr ? slash + 1 : path;
}

void choose_skip(const char *kernel, const std::string &skip) {
  g_kernel = kernel;
  const size_t at = skip.find('@'), colon = skip.rfind(':');
  g_skip_line = colon == std::string::npos ? 0 : std::atoi(skip.c_str() + colon + 1);
  if (!skip.empty() && g_skip_line <= 0)
    fail(CRIA_INVALID_ARGUMENT,
         "simt: cannot skip \"%s\": expected file.cu:line or kernel@file.cu:line", skip.c_str());
  const size_t file = at == std::string::npos ? 0 : at + 1;
  g_skip_file = skip.substr(file, colon - file);
  if (at != std::string::npos && skip.compare(0, at, kernel) != 0) g_skip_line = 0;
}

bool skipped(Site site) {
  Entry &entry = g_sites[site_id(site)];
  if (entry.last_kernel != g_kernel) {
    entry.kernels.insert(g_kernel);
    entry.last_kernel = g_kernel;
  }
  return g_skip_line == site.line && g_skip_file == base_name(site.file);
}

std::vector<std::string> synchronising_places() {
  std::vector<std::string> out;
  for (const Entry &entry : g_sites)
    for (const std::string &kernel : entry.kernels) out.push_back(kernel + "@" + entry.place);
  return out;
}

void reset_synchronising_places() {
  for (Entry &entry : g_sites) {
    entry.kernels.clear();
    entry.last_kernel = nullptr;
  }
}

}  // namespace cria::simt
