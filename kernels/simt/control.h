// control.h: how tests steer the emulator inside libcria_simt.so: functions to look up by name (dlsym).
#pragma once

#include "cria.h"

extern "C" {

// Replaces the settings; text in the form of the environment variable CRIA_SIMT. Returns null, or what is wrong with it.
CRIA_API const char *cria_simt_configure(const char *settings);

// What was collected since the last call, as text that lasts until the next call of the same function:
// the places of synchronising calls that ran, "kernel@file.cu:line", one a line;
CRIA_API const char *cria_simt_places(void);
// the counters of each kernel, a line of numbers separated by tabs below a line of names (emulator.h has their meaning);
CRIA_API const char *cria_simt_counters(void);
// shared-memory bank conflicts as "kernel, place, extra passes", separated by tabs, most first.
CRIA_API const char *cria_simt_conflicts(void);
}
