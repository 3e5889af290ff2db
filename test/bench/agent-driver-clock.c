// Stands before a driver's library, hands every call on, and adds up the time spent behind it. Compiled with
// -DDRIVER="\"PATH\"" and -DFUNCTIONS="FORWARD(nvmlInit) …". All that these functions take are integers and pointers, at
// most six, which the ABIs of x64 and arm64 pass in registers: one prototype fits all.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

typedef int (*Function)(uintptr_t, uintptr_t, uintptr_t, uintptr_t, uintptr_t, uintptr_t);

static _Atomic uint64_t spentNs;

static uint64_t nowNs(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static Function behind(const char *name) {
  void *driver = dlopen(DRIVER, RTLD_NOW | RTLD_LOCAL);
  void *function = driver ? dlsym(driver, name) : NULL;
  if (!function) abort();
  return (Function)function;
}

/** Since the library was loaded. */
double driverClockMs(void) { return (double)spentNs / 1e6; }

#define FORWARD(NAME)                                                                                        \
  int NAME(uintptr_t a, uintptr_t b, uintptr_t c, uintptr_t d, uintptr_t e, uintptr_t f) {                   \
    static _Atomic(Function) function;                                                                       \
    if (!function) function = behind(#NAME);                                                                 \
    uint64_t startedNs = nowNs();                                                                            \
    int code = function(a, b, c, d, e, f);                                                                   \
    spentNs += nowNs() - startedNs;                                                                          \
    return code;                                                                                             \
  }

FUNCTIONS
