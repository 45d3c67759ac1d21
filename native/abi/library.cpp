// library.cpp: version, last error and the text table of entry points.
#include <array>
#include <cstring>

#include "abi/call.h"

namespace cria {
namespace {

thread_local char last_error[1024] = "";

template <class T>
constexpr char letter() {
  if constexpr (std::is_void_v<T>) {
    return 'v';
  } else if constexpr (std::is_pointer_v<T>) {
    return 'p';
  } else if constexpr (std::is_same_v<T, float>) {
    return 'f';
  } else if constexpr (std::is_same_v<T, double>) {
    return 'd';
  } else if constexpr (sizeof(T) == 4) {
    return 'i';
  } else {
    static_assert(sizeof(T) == 8, "the interface has 32 and 64 bit integers only");
    return 'l';
  }
}

template <class Function>
struct Signature;

// Text built during compilation.
struct Table {
  std::array<char, 8192> text{};
  size_t size = 0;

  constexpr void put(char c) { text[size++] = c; }

  template <class Function>
  constexpr void entry(const char *name) {
    for (const char *c = name; *c; ++c) put(*c);
    Signature<Function>::write(*this);
    put('\n');
  }
};

template <class Result, class... Parameters>
struct Signature<Result (*)(Parameters...)> {
  static constexpr void write(Table &table) {
    table.put('(');
    (table.put(letter<Parameters>()), ...);
    table.put(')');
    table.put(letter<Result>());
  }
};

constexpr Table make_table() {
  Table table;
#define CRIA_LIBRARY(name) table.entry<decltype(&cria_##name)>("cria_" #name);
#define CRIA_DEVICE(name) table.entry<decltype(&cria_##name)>("cria_" #name);
#include "abi/entry_points.inc"
  return table;
}

constexpr Table entry_points = make_table();

}  // namespace

void set_last_error(const char *message) noexcept {
  std::strncpy(last_error, message, sizeof last_error - 1);
}

}  // namespace cria

using namespace cria;

int32_t cria_abi_version(void) { return CRIA_ABI_VERSION; }

const char *cria_version(void) { return CRIA_VERSION; }

const char *cria_last_error(void) { return last_error; }

const char *cria_entry_points(void) { return entry_points.text.data(); }
