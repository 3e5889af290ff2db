// Stands before a driver's library, hands every call on, and adds up the time spent behind it. It can also write down the
// calls of a while, and make the same calls again without whoever made them first. Compiled with
// -DDRIVER="\"PATH\"" and -DFUNCTIONS="FORWARD(nvmlInit) …". All that these functions take are integers and pointers, at
// most six, which the ABIs of x64 and arm64 pass in registers: one prototype fits all.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

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

enum { MOST_CALLS = 8192, ARGUMENTS = 6, COPIED_BYTES = 4096 };

static struct call {
  Function function;
  uintptr_t arguments[ARGUMENTS];
} calls[MOST_CALLS];
static _Atomic int recorded = 0, recording = 0;

// What an argument points to is copied: by the time of the replay the caller has freed it. A handle of the fake or a small
// number is no address, and what cannot be read is none either (registers that the function does not take hold anything).
static uintptr_t keptArgument(uintptr_t argument) {
  char probe;
  struct iovec here = {&probe, 1}, there = {(void *)argument, 1};
  if (argument < 1 << 16 || process_vm_readv(getpid(), &here, 1, &there, 1, 0) != 1) return argument;
  char *copy = calloc(2, COPIED_BYTES);
  here = (struct iovec){copy, COPIED_BYTES};
  there = (struct iovec){(void *)argument, COPIED_BYTES};
  if (process_vm_readv(getpid(), &here, 1, &there, 1, 0) < 0) abort();
  return (uintptr_t)copy;
}

static void record(Function function, const uintptr_t arguments[ARGUMENTS]) {
  if (!recording || recorded >= MOST_CALLS) return;
  struct call *call = &calls[recorded++];
  call->function = function;
  for (int i = 0; i < ARGUMENTS; i++) call->arguments[i] = keptArgument(arguments[i]);
}

void driverRecord(int on) { recording = on; }

int driverRecorded(void) { return recorded; }

// How long the calls that were written down take here, one after another.
double driverReplayMs(void) {
  uint64_t startedNs = nowNs();
  for (int i = 0; i < recorded; i++) {
    const uintptr_t *a = calls[i].arguments;
    calls[i].function(a[0], a[1], a[2], a[3], a[4], a[5]);
  }
  return (double)(nowNs() - startedNs) / 1e6;
}

#define FORWARD(NAME)                                                                                        \
  int NAME(uintptr_t a, uintptr_t b, uintptr_t c, uintptr_t d, uintptr_t e, uintptr_t f) {                   \
    static _Atomic(Function) function;                                                                       \
    if (!function) function = behind(#NAME);                                                                 \
    record(function, (uintptr_t[]){a, b, c, d, e, f});                                                       \
    uint64_t startedNs = nowNs();                                                                            \
    int code = function(a, b, c, d, e, f);                                                                   \
    spentNs += nowNs() - startedNs;                                                                          \
    return code;                                                                                             \
  }

FUNCTIONS
