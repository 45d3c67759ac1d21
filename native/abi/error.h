// error.h: how native code reports a failure: it throws Error inside the library, and the ABI layer turns that
// into a status and the message of cria_last_error.
#pragma once

#include <cstdarg>
#include <cstdio>
#include <string>

#include "cria.h"

namespace cria {

struct Error {
  cria_status status;
  std::string message;
};

// Throws Error with a printf-style message: "operation: what was wrong: values".
[[noreturn]] __attribute__((format(printf, 2, 3))) inline void fail(cria_status status,
                                                                    const char *format, ...) {
  char text[1024];
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  throw Error{status, text};
}

}  // namespace cria
