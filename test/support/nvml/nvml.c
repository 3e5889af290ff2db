// A small libnvidia-ml.so.1 for tests: NVIDIA's ABI, with values and faults from a text file.
//
// The file is named by the environment variable FAKE_NVML_CONFIG, or is /run/fake-nvml/config, where a container's
// runtime puts it. It is written by atomic rename, and read again by the first call after it changed. No such file =
// driver not loaded; removing it ends every hang. One setting a line, words separated by one space, numbers in C notation, the first line that
// matches wins; a line that cannot be read aborts the process with a message. Fixed words first:
//
//   driver loaded|notLoaded|mismatch     default loaded; others make init return 9 or 18. Inits made before
//                                        stay good under mismatch, and are bad (1) while notLoaded
//   generation N                         default 0; a change = driver reload: calls return 1 until all
//                                        inits are shut down and a new one is made; old handles get 2
//   driverVersion TEXT, nvmlVersion TEXT, cudaVersion N (13000 = 13.0)
//   platformInfoVersion N                of the struct that the driver takes, default 2
//   gpus N                               how many GPUs the driver sees, default 0
//   deviceNode PATH                      init must be able to open PATH for reading and writing
//   confCompute ENVIRONMENT FEATURE DEVTOOLS
//   event N GPU TYPE DATA GI CI          told once to each event set that GPU is registered with for TYPE, by
//                                        rising N; a line with a smaller N than the last one told is old
//   countCalls PATH                      append one line a call to PATH: PID FUNCTION GPU ('-' = none)
//   processRecordBytes 24|32             what ..._v3 writes, default 24; 32 is the defect of some R535 builds
//   unterminatedTexts 0|1                1: a text that is too long fills the buffer, without a final NUL
//   return FUNCTION GPU CODE             the call answers CODE (after it was checked for init and handle)
//   delay FUNCTION GPU MILLISECONDS      the call takes that long, then answers from the file as it is then
//   hang FUNCTION GPU                    the call sleeps until no such line applies; nothing else wakes it
//                                        FUNCTION and GPU may be *; * also matches calls that name no GPU
//
// and the readings of GPU I; one that is absent is not supported (3):
//
//   gpu I name|uuid|serial TEXT
//   gpu I pci DOMAIN BUS DEVICE DEVICEID SUBSYSTEMID
//   gpu I minorNumber N
//   gpu I memoryBytes TOTAL RESERVED USED
//   gpu I utilizationPercent GPU MEMORY
//   gpu I encoder|decoder PERCENT MICROSECONDS
//   gpu I temperatureC C                 gpu I temperatureThresholdsC.TYPE C
//   gpu I powerMilliwatts|enforcedPowerLimitMilliwatts|powerLimitMilliwatts|defaultPowerLimitMilliwatts MW
//   gpu I powerLimitRangeMilliwatts MIN MAX
//   gpu I clocksMHz.TYPE MHZ             gpu I maxClocksMHz.TYPE MHZ
//   gpu I clocksEventReasons BITMASK     gpu I performanceState N
//   gpu I eccMode CURRENT PENDING        gpu I eccErrors.ERRORTYPE.COUNTERTYPE N
//   gpu I remappedRows CORRECTED UNCORRECTED PENDING FAILURE
//   gpu I eventTypes BITMASK             what nvmlDeviceGetSupportedEventTypes says
//   gpu I retiredPagesPending 0|1        gpu I persistenceMode 0|1
//   gpu I migMode CURRENT PENDING
//   gpu I brand|architecture|moduleId|numaNode|computeMode|virtualizationMode N
//   gpu I boardPartNumber|vbiosVersion|inforomImageVersion|inforomVersion.OBJECT|gspFirmwareVersion TEXT
//   gpu I computeCapability MAJOR MINOR  gpu I inforomValid 0|1
//   gpu I platform IBGUID SERIAL SLOT TRAY HOST PEERTYPE MODULE       (IBGUID: 32 hexadecimal digits; SERIAL -: none)
//   gpu I fabric CLUSTERUUID STATE STATUS CLIQUE HEALTHMASK           (CLUSTERUUID: the same)
//   gpu I numaAffinity|cpuAffinity WORDS WORD …
//   gpu I bar1Memory TOTAL USED          gpu I jpeg|ofa PERCENT MICROSECONDS
//   gpu I pcieGeneration|maxPcieGeneration|pcieWidth|maxPcieWidth N
//   gpu I temperatureMarginC C           gpu I fans N, gpu I fanPercent.FAN N
//   gpu I eccLocation.ERRORTYPE.COUNTERTYPE.LOCATION N
//   gpu I sramEcc …                      the 12 numbers of the struct, in its order
//   gpu I rowRemapHistogram MAX HIGH PARTIAL LOW NONE
//   gpu I repairPending CHANNEL TPC      gpu I unrepairableMemory 0|1
//   gpu I maxMigDevices N                gpu I mig.J.KEY: a reading of its MIG device J, besides
//   gpu I mig.J.gpuInstanceId|computeInstanceId N, gpu I mig.J.slices MULTIPROCESSORS GI CI MEBIBYTES
//   gpu I nvlink.L.active 0|1            gpu I nvlink.L.remoteType N
//   gpu I nvlink.L.remotePci DOMAIN BUS DEVICE, gpu I nvlink.L.error.COUNTER N
//   gpu I peer.J.ancestor LEVEL          gpu I peer.J.p2p.CAPABILITY STATUS
//   gpu I field.ID[.SCOPE] TYPE VALUE    TYPE double|u32|ulong|u64|i64|i32|u16; or: return CODE
//   gpu I process|graphicsProcess|mpsProcess PID BYTES GPUINSTANCE COMPUTEINSTANCE PROTECTEDBYTES   (any number of lines)
//   gpu I gpm.METRIC VALUE               gpu I gpm.METRIC.INSTANCE VALUE: of that GPU instance; the first makes GPM supported
//   gpu I growingProcesses N             who asks for the size is told N too few: they are there a moment later
//   gpu I processSample MICROSECONDS PID SM MEMORY ENCODER DECODER         (any number of lines; none: NOT_FOUND)
//
// Threads: the file's text is per thread and the state's lock is never held while sleeping, so a hung or
// slow call holds up nobody else.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "nvml-abi.h"
#include "nvml-layout.h" // generated beside the library: proves the structs above

enum { NO_GPU = -1, BAD_HANDLE = -2, NO_MIG = -1, POLL_MS = 20 };

// ---- The settings --------------------------------------------------------------------------------------

// Freed when the thread ends, or when it is the thread that unloads the library: who measures an agent's memory over
// many driver reloads shall see the agent's alone.
static _Thread_local struct {
  char *text;
  struct stat identity;
} file;
static pthread_key_t text_key;

__attribute__((constructor)) static void loaded(void) {
  if (pthread_key_create(&text_key, free) != 0) abort();
}

__attribute__((destructor)) static void unloaded(void) {
  pthread_key_delete(text_key); // threads that end later must not look for it
  free(file.text);
  file.text = NULL;
}

static void bad_line(const char *line) {
  fprintf(stderr, "fake nvml: cannot read line: %.*s\n", (int)strcspn(line, "\n"), line);
  abort();
}

static char *read_text(const char *path) {
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0 || fstat(fd, &file.identity) != 0) {
    memset(&file.identity, 0, sizeof file.identity);
    if (fd >= 0) close(fd);
    return strdup("\ndriver notLoaded\n");
  }
  size_t size = (size_t)file.identity.st_size;
  char *text = malloc(size + 3);
  ssize_t got = read(fd, text + 1, size);
  close(fd);
  text[0] = '\n'; // so that every setting begins with a newline
  text[got < 0 ? 1 : got + 1] = '\n';
  text[got < 0 ? 2 : got + 2] = '\0';
  return text;
}

static int unchanged(const struct stat *now, const struct stat *seen) {
  return now->st_ino == seen->st_ino && now->st_dev == seen->st_dev && now->st_size == seen->st_size &&
         now->st_mtim.tv_sec == seen->st_mtim.tv_sec && now->st_mtim.tv_nsec == seen->st_mtim.tv_nsec;
}

static void load(void) {
  const char *named = getenv("FAKE_NVML_CONFIG"), *path = named ? named : "/run/fake-nvml/config";
  struct stat now;
  if (file.text && stat(path, &now) == 0 && unchanged(&now, &file.identity)) return;
  char *text = read_text(path);
  free(file.text);
  file.text = text;
  pthread_setspecific(text_key, text);
}

// What follows the words on the first line that begins with them, or NULL.
__attribute__((format(printf, 1, 2))) static const char *setting(const char *format, ...) {
  char words[128];
  words[0] = '\n';
  va_list arguments;
  va_start(arguments, format);
  int length = vsnprintf(words + 1, sizeof words - 2, format, arguments) + 1;
  va_end(arguments);
  words[length] = ' ';
  words[length + 1] = '\0';
  const char *line = strstr(file.text, words);
  return line ? line + length + 1 : NULL;
}

static int numbers(const char *line, int count, unsigned long long *out) {
  if (!line) return 0;
  const char *at = line;
  for (int i = 0; i < count; i++) {
    char *end;
    // A negative number wraps, and is right again in the narrower type it is stored to.
    out[i] = strtoull(at, &end, 0);
    if (end == at || memchr(at, '\n', (size_t)(end - at))) bad_line(line);
    at = end;
  }
  return 1;
}

static long number_or(const char *line, long otherwise) {
  unsigned long long value;
  return numbers(line, 1, &value) ? (long)value : otherwise;
}

static int says(const char *line, const char *word) {
  return line && strncmp(line, word, strlen(word)) == 0 && strchr(" \n", line[strlen(word)]);
}

// The number of the first `kind FUNCTION GPU [NUMBER]` line for this call (0 without one), or -1.
static long rule(const char *kind, const char *function, int gpu) {
  char start[16], for_function[64], for_gpu[16], own[16];
  snprintf(start, sizeof start, "\n%s ", kind);
  snprintf(own, sizeof own, "%d", gpu);
  for (const char *line = file.text; (line = strstr(line, start)) != NULL;) {
    long value = 0;
    line += strlen(start);
    if (sscanf(line, "%63s %15s %ld", for_function, for_gpu, &value) < 2) bad_line(line);
    if (strcmp(for_function, "*") != 0 && strcmp(for_function, function) != 0) continue;
    if (strcmp(for_gpu, "*") == 0 || strcmp(for_gpu, own) == 0) return value;
  }
  return -1;
}

// ---- Life of the library -------------------------------------------------------------------------------

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct {
  unsigned inits, epoch; // an epoch lasts from the first init to the last shutdown; handles carry it
  long generation;       // the driver's, at the first init
} state;

static int initialised(void) {
  pthread_mutex_lock(&lock);
  int good = state.inits > 0 && state.generation == number_or(setting("generation"), 0);
  pthread_mutex_unlock(&lock);
  return good && !says(setting("driver"), "notLoaded");
}

// Of a GPU (mig NO_MIG), or of the MIG device of this index on it.
static nvmlDevice_t handle_of(int gpu, int mig) {
  pthread_mutex_lock(&lock);
  unsigned long epoch = state.epoch;
  pthread_mutex_unlock(&lock);
  unsigned long place = (unsigned long)(mig + 1) << 8 | (unsigned long)gpu;
  return (nvmlDevice_t)(0x4e5600000000ul | (epoch & 0xffff) << 16 | place);
}

static int mig_of(nvmlDevice_t device) { return (int)((unsigned long)device >> 8 & 0xff) - 1; }

static int gpu_of(nvmlDevice_t device) {
  int gpu = (int)((unsigned long)device & 0xff);
  return handle_of(gpu, mig_of(device)) == device ? gpu : BAD_HANDLE;
}

static const char *setting_of(nvmlDevice_t device, const char *key) {
  int gpu = gpu_of(device), mig = mig_of(device);
  return mig == NO_MIG ? setting("gpu %d %s", gpu, key) : setting("gpu %d mig.%d.%s", gpu, mig, key);
}

static void sleep_ms(long ms) {
  struct timespec left = {ms / 1000, ms % 1000 * 1000000};
  while (nanosleep(&left, &left) != 0 && errno == EINTR) continue;
}

static void count_call(const char *function, int gpu) {
  const char *path = setting("countCalls");
  if (!path) return;
  char name[1024], line[128], number[16] = "-";
  snprintf(name, sizeof name, "%.*s", (int)strcspn(path, "\n"), path);
  if (gpu >= 0) snprintf(number, sizeof number, "%d", gpu);
  int length = snprintf(line, sizeof line, "%d %s %s\n", (int)getpid(), function, number);
  int fd = open(name, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
  if (fd < 0 || write(fd, line, (size_t)length) != length) bad_line(path);
  close(fd);
}

// What every call to the driver has in common: hangs, delays, and return codes ordered by the file.
static nvmlReturn_t obey(const char *function, int gpu) {
  while (rule("hang", function, gpu) >= 0) {
    sleep_ms(POLL_MS);
    load();
  }
  long delay = rule("delay", function, gpu);
  if (delay > 0) {
    sleep_ms(delay);
    load();
  }
  long code = rule("return", function, gpu);
  return code > 0 ? (nvmlReturn_t)code : NVML_SUCCESS;
}

// A call that is good before init, too.
static nvmlReturn_t enter_library(const char *function) {
  load();
  count_call(function, NO_GPU);
  return obey(function, NO_GPU);
}

static nvmlReturn_t enter(const char *function, int gpu) {
  load();
  count_call(function, gpu);
  if (!initialised()) return NVML_ERROR_UNINITIALIZED;
  if (gpu != NO_GPU && (gpu < 0 || gpu >= number_or(setting("gpus"), 0))) return NVML_ERROR_INVALID_ARGUMENT;
  nvmlReturn_t code = obey(function, gpu);
  return initialised() ? code : NVML_ERROR_UNINITIALIZED; // the driver may be gone since
}

// What the real library answers when it cannot open /dev/nvidiactl, from public reports:
// a device cgroup without the node: EPERM, "Unknown Error" (strace in mattshma/bigdata#150; the notice in
// NVIDIA/nvidia-docker#1671); file mode or SELinux: EACCES, "Insufficient Permissions"
// (NVIDIA/nvidia-container-toolkit#210, #580); no such node: as without driver (canonical/lxd#3642).
static nvmlReturn_t open_node(void) {
  const char *path = setting("deviceNode");
  if (!path) return NVML_SUCCESS;
  char name[1024];
  snprintf(name, sizeof name, "%.*s", (int)strcspn(path, "\n"), path);
  int fd = open(name, O_RDWR | O_CLOEXEC);
  if (fd < 0) return errno == EPERM    ? NVML_ERROR_UNKNOWN
                   : errno == EACCES ? NVML_ERROR_NO_PERMISSION
                                     : NVML_ERROR_DRIVER_NOT_LOADED;
  close(fd);
  return NVML_SUCCESS;
}

static nvmlReturn_t initialise(const char *function, unsigned int flags) {
  enum { NO_GPUS_IS_FINE = 1 }; // NVML_INIT_FLAG_NO_GPUS
  nvmlReturn_t code = enter_library(function);
  if (code != NVML_SUCCESS) return code;
  if (says(setting("driver"), "notLoaded")) return NVML_ERROR_DRIVER_NOT_LOADED;
  if (says(setting("driver"), "mismatch")) return NVML_ERROR_LIB_RM_VERSION_MISMATCH;
  if ((code = open_node()) != NVML_SUCCESS) return code;
  // nvml.h: without the flag "nvmlInit() fails when no GPUs are found"; the code is the one nvidia-smi words
  // as "No supported GPUs were found" (kubernetes-sigs/dra-driver-nvidia-gpu#1008). Not measured.
  if (!(flags & NO_GPUS_IS_FINE) && number_or(setting("gpus"), 0) == 0) return NVML_ERROR_GPU_NOT_FOUND;
  pthread_mutex_lock(&lock);
  if (state.inits++ == 0) {
    state.generation = number_or(setting("generation"), 0);
    state.epoch++;
  }
  pthread_mutex_unlock(&lock);
  return NVML_SUCCESS;
}

nvmlReturn_t nvmlInitWithFlags(unsigned int flags) { return initialise(__func__, flags); }
nvmlReturn_t nvmlInit_v2(void) { return initialise(__func__, 0); }

// The oldest init attaches every GPU and fails when one is in a bad state (nvml.h, note of nvmlInit_v2).
nvmlReturn_t nvmlInit(void) {
  load();
  for (int gpu = 0; gpu < number_or(setting("gpus"), 0); gpu++) {
    long code = rule("return", __func__, gpu);
    if (code > 0) return (nvmlReturn_t)code;
  }
  return initialise(__func__, 0);
}

nvmlReturn_t nvmlShutdown(void) {
  nvmlReturn_t code = enter_library(__func__);
  if (code != NVML_SUCCESS) return code;
  pthread_mutex_lock(&lock);
  // nvml.h: one shutdown too many is no error, but there must have been a successful init.
  if (state.epoch == 0) code = NVML_ERROR_UNINITIALIZED;
  if (state.inits > 0) state.inits--;
  pthread_mutex_unlock(&lock);
  return code;
}

// Asks no driver, so it works in any state. Only the texts that matter here.
const char *nvmlErrorString(nvmlReturn_t code) {
  static const char *const texts[] = {
      [0] = "Success",           [1] = "Uninitialized",       [2] = "Invalid Argument",
      [3] = "Not Supported",     [4] = "Insufficient Permissions", [6] = "Not Found",
      [7] = "Insufficient Size", [9] = "Driver Not Loaded",   [10] = "Timeout",
      [15] = "GPU is lost",      [16] = "GPU requires reset", [18] = "Driver/library version mismatch",
  };
  size_t known = sizeof texts / sizeof texts[0];
  return (size_t)code < known && texts[code] ? texts[code] : "Unknown Error";
}

// ---- Readings ------------------------------------------------------------------------------------------

static nvmlReturn_t copy_text(const char *line, char *out, unsigned int size) {
  if (!line) return NVML_ERROR_NOT_SUPPORTED;
  size_t length = strcspn(line, "\n");
  if (length >= size && number_or(setting("unterminatedTexts"), 0)) {
    memcpy(out, line, size);
    return NVML_SUCCESS;
  }
  if (length >= size) return NVML_ERROR_INSUFFICIENT_SIZE;
  memcpy(out, line, length);
  out[length] = '\0';
  return NVML_SUCCESS;
}

static nvmlReturn_t read_text_of(const char *function, nvmlDevice_t device, const char *key, char *out,
                                 unsigned int size) {
  int gpu = gpu_of(device);
  nvmlReturn_t code = enter(function, gpu);
  if (code != NVML_SUCCESS) return code;
  if (!out) return NVML_ERROR_INVALID_ARGUMENT;
  return copy_text(setting_of(device, key), out, size);
}

static nvmlReturn_t read_u64(const char *function, nvmlDevice_t device, const char *key,
                             unsigned long long *out, int count) {
  int gpu = gpu_of(device);
  nvmlReturn_t code = enter(function, gpu);
  if (code != NVML_SUCCESS) return code;
  if (!out) return NVML_ERROR_INVALID_ARGUMENT;
  return numbers(setting_of(device, key), count, out) ? NVML_SUCCESS : NVML_ERROR_NOT_SUPPORTED;
}

static nvmlReturn_t read_u32(const char *function, nvmlDevice_t device, const char *key, unsigned int **out,
                             int count) {
  unsigned long long values[8];
  int complete = 1;
  for (int i = 0; i < count; i++) complete = complete && out[i];
  nvmlReturn_t code = read_u64(function, device, key, complete ? values : NULL, count);
  if (code != NVML_SUCCESS) return code;
  for (int i = 0; i < count; i++) *out[i] = (unsigned int)values[i];
  return NVML_SUCCESS;
}

#define U32(function, key)                                                \
  nvmlReturn_t function(nvmlDevice_t device, unsigned int *a) {           \
    return read_u32(__func__, device, key, (unsigned int *[]){a}, 1);     \
  }
#define U32_PAIR(function, key)                                                \
  nvmlReturn_t function(nvmlDevice_t device, unsigned int *a, unsigned int *b) { \
    return read_u32(__func__, device, key, (unsigned int *[]){a, b}, 2);       \
  }
#define U32_OF_TYPE(function, key, types)                                               \
  nvmlReturn_t function(nvmlDevice_t device, unsigned int type, unsigned int *a) {      \
    char name[64];                                                                      \
    snprintf(name, sizeof name, key ".%u", type);                                       \
    return read_u32(__func__, device, name, (unsigned int *[]){type < types ? a : NULL}, 1); \
  }
#define U64(function, key)                                                \
  nvmlReturn_t function(nvmlDevice_t device, unsigned long long *a) {     \
    return read_u64(__func__, device, key, a, 1);                         \
  }
#define TEXT(function, key)                                                     \
  nvmlReturn_t function(nvmlDevice_t device, char *text, unsigned int length) { \
    return read_text_of(__func__, device, key, text, length);                   \
  }

TEXT(nvmlDeviceGetName, "name")
TEXT(nvmlDeviceGetUUID, "uuid")
TEXT(nvmlDeviceGetSerial, "serial")
U32(nvmlDeviceGetMinorNumber, "minorNumber")
U32(nvmlDeviceGetPowerUsage, "powerMilliwatts")
U32(nvmlDeviceGetEnforcedPowerLimit, "enforcedPowerLimitMilliwatts")
U32(nvmlDeviceGetPowerManagementLimit, "powerLimitMilliwatts")
U32(nvmlDeviceGetPowerManagementDefaultLimit, "defaultPowerLimitMilliwatts")
U32_PAIR(nvmlDeviceGetPowerManagementLimitConstraints, "powerLimitRangeMilliwatts")
U32_OF_TYPE(nvmlDeviceGetClockInfo, "clocksMHz", NVML_CLOCK_COUNT)
U32_OF_TYPE(nvmlDeviceGetMaxClockInfo, "maxClocksMHz", NVML_CLOCK_COUNT)
U32_OF_TYPE(nvmlDeviceGetTemperatureThreshold, "temperatureThresholdsC", NVML_TEMPERATURE_THRESHOLD_COUNT)
U64(nvmlDeviceGetCurrentClocksEventReasons, "clocksEventReasons")
U64(nvmlDeviceGetCurrentClocksThrottleReasons, "clocksEventReasons") // the same reading's older name
U32_PAIR(nvmlDeviceGetEncoderUtilization, "encoder")
U32_PAIR(nvmlDeviceGetDecoderUtilization, "decoder")
U32(nvmlDeviceGetPerformanceState, "performanceState")
U32_PAIR(nvmlDeviceGetEccMode, "eccMode")
U32_PAIR(nvmlDeviceGetMigMode, "migMode")
U32(nvmlDeviceGetRetiredPagesPendingStatus, "retiredPagesPending")
U32(nvmlDeviceGetPersistenceMode, "persistenceMode")
TEXT(nvmlDeviceGetBoardPartNumber, "boardPartNumber")
TEXT(nvmlDeviceGetVbiosVersion, "vbiosVersion")
TEXT(nvmlDeviceGetInforomImageVersion, "inforomImageVersion")
U32(nvmlDeviceGetBrand, "brand")
U32(nvmlDeviceGetArchitecture, "architecture")
U32_PAIR(nvmlDeviceGetCudaComputeCapability, "computeCapability")
U32(nvmlDeviceGetModuleId, "moduleId")
U32(nvmlDeviceGetNumaNodeId, "numaNode")
U32(nvmlDeviceGetComputeMode, "computeMode")
U32(nvmlDeviceGetVirtualizationMode, "virtualizationMode")
U32_PAIR(nvmlDeviceGetJpgUtilization, "jpeg")
U32_PAIR(nvmlDeviceGetOfaUtilization, "ofa")
U32(nvmlDeviceGetCurrPcieLinkGeneration, "pcieGeneration")
U32(nvmlDeviceGetMaxPcieLinkGeneration, "maxPcieGeneration")
U32(nvmlDeviceGetCurrPcieLinkWidth, "pcieWidth")
U32(nvmlDeviceGetMaxPcieLinkWidth, "maxPcieWidth")
U32(nvmlDeviceGetNumFans, "fans")
U32_OF_TYPE(nvmlDeviceGetFanSpeed_v2, "fanPercent", 64)
U32(nvmlDeviceGetMaxMigDeviceCount, "maxMigDevices")
U32(nvmlDeviceGetGpuInstanceId, "gpuInstanceId")
U32(nvmlDeviceGetComputeInstanceId, "computeInstanceId")

nvmlReturn_t nvmlDeviceGetInforomVersion(nvmlDevice_t device, unsigned int object, char *text,
                                         unsigned int length) {
  char key[32];
  snprintf(key, sizeof key, "inforomVersion.%u", object);
  return read_text_of(__func__, device, key, text, length);
}

nvmlReturn_t nvmlDeviceValidateInforom(nvmlDevice_t device) {
  unsigned long long valid;
  nvmlReturn_t code = read_u64(__func__, device, "inforomValid", &valid, 1);
  return code == NVML_SUCCESS && !valid ? NVML_ERROR_CORRUPTED_INFOROM : code;
}

nvmlReturn_t nvmlDeviceGetGspFirmwareVersion(nvmlDevice_t device, char *text) {
  return read_text_of(__func__, device, "gspFirmwareVersion", text, 64);
}

nvmlReturn_t nvmlDeviceGetMemoryErrorCounter(nvmlDevice_t device, unsigned int type, unsigned int counter,
                                             unsigned int location, unsigned long long *count) {
  char key[64];
  snprintf(key, sizeof key, "eccLocation.%u.%u.%u", type, counter, location);
  return read_u64(__func__, device, key, location < NVML_MEMORY_LOCATION_COUNT ? count : NULL, 1);
}

nvmlReturn_t nvmlDeviceGetRemappedRows(nvmlDevice_t device, unsigned int *corrected,
                                       unsigned int *uncorrected, unsigned int *pending,
                                       unsigned int *failure) {
  unsigned int *out[] = {corrected, uncorrected, pending, failure};
  return read_u32(__func__, device, "remappedRows", out, 4);
}

nvmlReturn_t nvmlDeviceGetTotalEccErrors(nvmlDevice_t device, unsigned int type, unsigned int counter,
                                         unsigned long long *count) {
  char key[64];
  snprintf(key, sizeof key, "eccErrors.%u.%u", type, counter);
  int valid = type < NVML_MEMORY_ERROR_TYPE_COUNT && counter < NVML_ECC_COUNTER_TYPE_COUNT;
  return read_u64(__func__, device, key, valid ? count : NULL, 1);
}

nvmlReturn_t nvmlDeviceGetTemperature(nvmlDevice_t device, unsigned int sensor, unsigned int *celsius) {
  unsigned int *out[] = {sensor == NVML_TEMPERATURE_GPU ? celsius : NULL};
  return read_u32(__func__, device, "temperatureC", out, 1);
}

// A wrong tag is refused before the driver is asked for the value.
static nvmlReturn_t check_tag(nvmlReturn_t code, unsigned int version, unsigned int expected) {
  if (version == expected) return code;
  int readable = code == NVML_SUCCESS || code == NVML_ERROR_NOT_SUPPORTED;
  return readable ? NVML_ERROR_ARGUMENT_VERSION_MISMATCH : code;
}

nvmlReturn_t nvmlDeviceGetTemperatureV(nvmlDevice_t device, nvmlTemperature_v1_t *out) {
  unsigned long long celsius;
  nvmlReturn_t code = read_u64(__func__, device, "temperatureC", out ? &celsius : NULL, 1);
  code = check_tag(code, out ? out->version : 0, STRUCT_VERSION(nvmlTemperature_v1_t, 1));
  if (code != NVML_SUCCESS) return code;
  if (out->sensorType != NVML_TEMPERATURE_GPU) return NVML_ERROR_INVALID_ARGUMENT;
  out->temperature = (int)celsius;
  return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetMarginTemperature(nvmlDevice_t device, nvmlMarginTemperature_v1_t *out) {
  unsigned long long celsius;
  nvmlReturn_t code = read_u64(__func__, device, "temperatureMarginC", out ? &celsius : NULL, 1);
  code = check_tag(code, out ? out->version : 0, STRUCT_VERSION(nvmlMarginTemperature_v1_t, 1));
  if (code == NVML_SUCCESS) out->marginTemperature = (int)celsius;
  return code;
}

// 16 bytes from 32 hexadecimal digits; where the digits end.
static const char *hex_bytes(const char *line, unsigned char *out) {
  for (int i = 0; i < 16; i++) {
    unsigned int byte;
    if (sscanf(line + 2 * i, "%2x", &byte) != 1) bad_line(line);
    out[i] = (unsigned char)byte;
  }
  return line + 32;
}

nvmlReturn_t nvmlDeviceGetPlatformInfo(nvmlDevice_t device, nvmlPlatformInfo_v2_t *out) {
  int gpu = gpu_of(device);
  nvmlReturn_t code = enter(__func__, gpu);
  if (code != NVML_SUCCESS) return code;
  const char *line = setting_of(device, "platform");
  if (!out) return NVML_ERROR_INVALID_ARGUMENT;
  code = check_tag(line ? code : NVML_ERROR_NOT_SUPPORTED, out->version,
                   STRUCT_VERSION(nvmlPlatformInfo_v2_t, (unsigned int)number_or(setting("platformInfoVersion"), 2)));
  if (code != NVML_SUCCESS) return code;
  unsigned long long v[5];
  int length = 0;
  line = hex_bytes(line, out->ibGuid) + 1;
  memset(out->chassisSerialNumber, 0, sizeof out->chassisSerialNumber);
  if (sscanf(line, "%16s%n", (char *)out->chassisSerialNumber, &length) != 1) bad_line(line);
  if (out->chassisSerialNumber[0] == '-') out->chassisSerialNumber[0] = 0;
  numbers(line + length, 5, v);
  out->slotNumber = (unsigned char)v[0];
  out->trayIndex = (unsigned char)v[1];
  out->hostId = (unsigned char)v[2];
  out->peerType = (unsigned char)v[3];
  out->moduleId = (unsigned char)v[4];
  return NVML_SUCCESS;
}

static void read_fabric(const char *line, nvmlGpuFabricInfo_v2_t *out) {
  unsigned long long v[4];
  numbers(hex_bytes(line, out->clusterUuid), 4, v);
  out->state = (unsigned char)v[0];
  out->status = (nvmlReturn_t)v[1];
  out->cliqueId = (unsigned int)v[2];
  out->healthMask = (unsigned int)v[3];
}

nvmlReturn_t nvmlDeviceGetGpuFabricInfoV(nvmlDevice_t device, nvmlGpuFabricInfo_v2_t *out) {
  int gpu = gpu_of(device);
  nvmlReturn_t code = enter(__func__, gpu);
  if (code != NVML_SUCCESS) return code;
  const char *line = setting_of(device, "fabric");
  if (!out) return NVML_ERROR_INVALID_ARGUMENT;
  code = check_tag(line ? code : NVML_ERROR_NOT_SUPPORTED, out->version,
                   STRUCT_VERSION(nvmlGpuFabricInfo_v2_t, 2));
  if (code != NVML_SUCCESS) return code;
  read_fabric(line, out);
  return NVML_SUCCESS;
}

// The older struct is the newer one without version and health.
nvmlReturn_t nvmlDeviceGetGpuFabricInfo(nvmlDevice_t device, nvmlGpuFabricInfo_t *out) {
  int gpu = gpu_of(device);
  nvmlReturn_t code = enter(__func__, gpu);
  if (code != NVML_SUCCESS) return code;
  const char *line = setting_of(device, "fabric");
  if (!out) return NVML_ERROR_INVALID_ARGUMENT;
  if (!line) return NVML_ERROR_NOT_SUPPORTED;
  nvmlGpuFabricInfo_v2_t full;
  read_fabric(line, &full);
  memcpy(out, full.clusterUuid, sizeof *out);
  return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetBAR1MemoryInfo(nvmlDevice_t device, nvmlBAR1Memory_t *out) {
  unsigned long long bytes[2];
  nvmlReturn_t code = read_u64(__func__, device, "bar1Memory", out ? bytes : NULL, 2);
  if (code != NVML_SUCCESS) return code;
  out->bar1Total = bytes[0];
  out->bar1Used = bytes[1];
  out->bar1Free = bytes[0] - bytes[1];
  return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetSramEccErrorStatus(nvmlDevice_t device, nvmlEccSramErrorStatus_v1_t *out) {
  unsigned long long v[12];
  nvmlReturn_t code = read_u64(__func__, device, "sramEcc", out ? v : NULL, 12);
  code = check_tag(code, out ? out->version : 0, STRUCT_VERSION(nvmlEccSramErrorStatus_v1_t, 1));
  if (code != NVML_SUCCESS) return code;
  memcpy(&out->aggregateUncParity, v, 11 * sizeof v[0]); // in the order of the struct
  out->bThresholdExceeded = (unsigned int)v[11];
  return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetRowRemapperHistogram(nvmlDevice_t device, nvmlRowRemapperHistogramValues_t *out) {
  unsigned int *all[] = {&out->max, &out->high, &out->partial, &out->low, &out->none};
  return read_u32(__func__, device, "rowRemapHistogram", all, 5);
}

nvmlReturn_t nvmlDeviceGetRepairStatus(nvmlDevice_t device, nvmlRepairStatus_v1_t *out) {
  unsigned long long v[2];
  nvmlReturn_t code = read_u64(__func__, device, "repairPending", out ? v : NULL, 2);
  code = check_tag(code, out ? out->version : 0, STRUCT_VERSION(nvmlRepairStatus_v1_t, 1));
  if (code != NVML_SUCCESS) return code;
  out->bChannelRepairPending = (unsigned int)v[0];
  out->bTpcRepairPending = (unsigned int)v[1];
  return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetUnrepairableMemoryFlag_v1(nvmlDevice_t device,
                                                    nvmlUnrepairableMemoryStatus_v1_t *out) {
  unsigned int *flag[] = {out ? &out->bUnrepairableMemory : NULL};
  return read_u32(__func__, device, "unrepairableMemory", flag, 1);
}

// `N WORD …`: as many words of the mask as the caller has room for; too little room is refused.
static nvmlReturn_t read_mask(const char *function, nvmlDevice_t device, const char *key,
                              unsigned int size, unsigned long *mask) {
  enum { MOST_WORDS = 64 };
  unsigned long long words[1 + MOST_WORDS];
  nvmlReturn_t code = read_u64(function, device, key, mask ? words : NULL, 1);
  if (code != NVML_SUCCESS) return code;
  if (words[0] > MOST_WORDS || words[0] > size) return NVML_ERROR_INSUFFICIENT_SIZE;
  numbers(setting_of(device, key), (int)words[0] + 1, words);
  for (unsigned int i = 0; i < size; i++) mask[i] = i < words[0] ? (unsigned long)words[1 + i] : 0;
  return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetCpuAffinity(nvmlDevice_t device, unsigned int size, unsigned long *cpus) {
  return read_mask(__func__, device, "cpuAffinity", size, cpus);
}

nvmlReturn_t nvmlDeviceGetMemoryAffinity(nvmlDevice_t device, unsigned int size, unsigned long *nodes,
                                         unsigned int scope) {
  return read_mask(__func__, device, scope == 0 ? "numaAffinity" : "numaAffinityOfSocket", size, nodes);
}

// A place without a MIG device is not found; devices may stand behind it.
nvmlReturn_t nvmlDeviceGetMigDeviceHandleByIndex(nvmlDevice_t device, unsigned int index,
                                                 nvmlDevice_t *mig) {
  int gpu = gpu_of(device);
  unsigned long long modes[2];
  nvmlReturn_t code = enter(__func__, gpu);
  if (code != NVML_SUCCESS) return code;
  if (!mig || index >= (unsigned int)number_or(setting_of(device, "maxMigDevices"), 0))
    return NVML_ERROR_INVALID_ARGUMENT;
  if (!numbers(setting_of(device, "migMode"), 2, modes)) return NVML_ERROR_NOT_SUPPORTED;
  if (!modes[0] || !setting("gpu %d mig.%u.uuid", gpu, index)) return NVML_ERROR_NOT_FOUND;
  *mig = handle_of(gpu, (int)index);
  return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetAttributes_v2(nvmlDevice_t device, nvmlDeviceAttributes_t *out) {
  unsigned long long v[4];
  nvmlReturn_t code = read_u64(__func__, device, "slices", out ? v : NULL, 4);
  if (code != NVML_SUCCESS) return code;
  memset(out, 0, sizeof *out);
  out->multiprocessorCount = (unsigned int)v[0];
  out->gpuInstanceSliceCount = (unsigned int)v[1];
  out->computeInstanceSliceCount = (unsigned int)v[2];
  out->memorySizeMB = v[3];
  return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetUtilizationRates(nvmlDevice_t device, nvmlUtilization_t *out) {
  unsigned int *both[] = {out ? &out->gpu : NULL, out ? &out->memory : NULL};
  return read_u32(__func__, device, "utilizationPercent", both, 2);
}

nvmlReturn_t nvmlDeviceGetMemoryInfo_v2(nvmlDevice_t device, nvmlMemory_v2_t *out) {
  unsigned long long bytes[3];
  nvmlReturn_t code = read_u64(__func__, device, "memoryBytes", out ? bytes : NULL, 3);
  code = check_tag(code, out ? out->version : 0, STRUCT_VERSION(nvmlMemory_v2_t, 2));
  if (code != NVML_SUCCESS) return code;
  out->total = bytes[0];
  out->reserved = bytes[1];
  out->used = bytes[2];
  out->free = bytes[0] - bytes[1] - bytes[2];
  return NVML_SUCCESS;
}

// The oldest form: no tag, other offsets, and `used` includes what the driver reserves.
nvmlReturn_t nvmlDeviceGetMemoryInfo(nvmlDevice_t device, nvmlMemory_t *out) {
  unsigned long long bytes[3];
  nvmlReturn_t code = read_u64(__func__, device, "memoryBytes", out ? bytes : NULL, 3);
  if (code != NVML_SUCCESS) return code;
  out->total = bytes[0];
  out->used = bytes[1] + bytes[2];
  out->free = bytes[0] - out->used;
  return NVML_SUCCESS;
}

// ---- System and enumeration ----------------------------------------------------------------------------

nvmlReturn_t nvmlSystemGetDriverVersion(char *text, unsigned int length) {
  nvmlReturn_t code = enter(__func__, NO_GPU);
  if (code != NVML_SUCCESS) return code;
  return text ? copy_text(setting("driverVersion"), text, length) : NVML_ERROR_INVALID_ARGUMENT;
}

// These two are answered by the library itself: nvml.h lists no UNINITIALIZED for them.
nvmlReturn_t nvmlSystemGetNVMLVersion(char *text, unsigned int length) {
  nvmlReturn_t code = enter_library(__func__);
  if (code != NVML_SUCCESS) return code;
  return text ? copy_text(setting("nvmlVersion"), text, length) : NVML_ERROR_INVALID_ARGUMENT;
}

nvmlReturn_t nvmlSystemGetCudaDriverVersion(int *version) {
  nvmlReturn_t code = enter_library(__func__);
  if (code != NVML_SUCCESS) return code;
  if (!version) return NVML_ERROR_INVALID_ARGUMENT;
  *version = (int)number_or(setting("cudaVersion"), 0);
  return NVML_SUCCESS;
}

nvmlReturn_t nvmlSystemGetConfComputeState(nvmlConfComputeSystemState_t *out) {
  unsigned long long v[3];
  nvmlReturn_t code = enter(__func__, NO_GPU);
  if (code != NVML_SUCCESS) return code;
  if (!out) return NVML_ERROR_INVALID_ARGUMENT;
  if (!numbers(setting("confCompute"), 3, v)) return NVML_ERROR_NOT_SUPPORTED;
  *out = (nvmlConfComputeSystemState_t){(unsigned int)v[0], (unsigned int)v[1], (unsigned int)v[2]};
  return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetCount_v2(unsigned int *count) {
  nvmlReturn_t code = enter(__func__, NO_GPU);
  if (code != NVML_SUCCESS) return code;
  if (!count) return NVML_ERROR_INVALID_ARGUMENT;
  *count = (unsigned int)number_or(setting("gpus"), 0);
  return NVML_SUCCESS;
}

// The oldest form leaves out GPUs that we may not talk to.
nvmlReturn_t nvmlDeviceGetCount(unsigned int *count) {
  nvmlReturn_t code = enter(__func__, NO_GPU);
  if (code != NVML_SUCCESS) return code;
  if (!count) return NVML_ERROR_INVALID_ARGUMENT;
  *count = 0;
  for (int gpu = 0; gpu < number_or(setting("gpus"), 0); gpu++) {
    *count += rule("return", "nvmlDeviceGetHandleByIndex_v2", gpu) != NVML_ERROR_NO_PERMISSION;
  }
  return NVML_SUCCESS;
}

static nvmlReturn_t hand_out(const char *function, int gpu, nvmlDevice_t *device) {
  nvmlReturn_t code = enter(function, gpu);
  if (code != NVML_SUCCESS) return code;
  if (!device) return NVML_ERROR_INVALID_ARGUMENT;
  if (gpu == NO_GPU) return NVML_ERROR_NOT_FOUND;
  *device = handle_of(gpu, NO_MIG);
  return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetHandleByIndex_v2(unsigned int index, nvmlDevice_t *device) {
  return hand_out(__func__, index <= 0xff ? (int)index : BAD_HANDLE, device);
}

nvmlReturn_t nvmlDeviceGetHandleByUUID(const char *uuid, nvmlDevice_t *device) {
  load();
  int gpu = uuid ? (int)number_or(setting("gpus"), 0) - 1 : BAD_HANDLE;
  while (gpu >= 0 && !says(setting("gpu %d uuid", gpu), uuid)) gpu--;
  return hand_out(__func__, gpu, device);
}

nvmlReturn_t nvmlDeviceGetHandleByPciBusId_v2(const char *id, nvmlDevice_t *device) {
  unsigned int domain, bus, slot;
  load();
  int valid = id && sscanf(id, "%x:%x:%x", &domain, &bus, &slot) == 3;
  int gpu = valid ? (int)number_or(setting("gpus"), 0) - 1 : BAD_HANDLE;
  for (unsigned long long pci[3]; gpu >= 0; gpu--) {
    if (!numbers(setting("gpu %d pci", gpu), 3, pci)) continue;
    if (pci[0] == domain && pci[1] == bus && pci[2] == slot) break;
  }
  return hand_out(__func__, gpu, device);
}

nvmlReturn_t nvmlDeviceGetIndex(nvmlDevice_t device, unsigned int *index) {
  int gpu = gpu_of(device);
  nvmlReturn_t code = enter(__func__, gpu);
  if (code != NVML_SUCCESS) return code;
  if (!index) return NVML_ERROR_INVALID_ARGUMENT;
  *index = (unsigned int)gpu;
  return NVML_SUCCESS;
}

// The legacy form has room for four digits of the domain only.
static void write_bus_ids(nvmlPciInfo_t *pci) {
  snprintf(pci->busIdLegacy, sizeof pci->busIdLegacy, "%04X:%02X:%02X.0", pci->domain & 0xffff, pci->bus & 0xff,
           pci->device & 0xff);
  snprintf(pci->busId, sizeof pci->busId, "%08X:%02X:%02X.0", pci->domain, pci->bus, pci->device);
}

static nvmlReturn_t read_pci(const char *function, nvmlDevice_t device, nvmlPciInfo_t *out, size_t size) {
  unsigned long long pci[5];
  nvmlPciInfo_t full = {0};
  nvmlReturn_t code = read_u64(function, device, "pci", out ? pci : NULL, 5);
  if (code != NVML_SUCCESS) return code;
  full.domain = (unsigned int)pci[0];
  full.bus = (unsigned int)pci[1];
  full.device = (unsigned int)pci[2];
  full.pciDeviceId = (unsigned int)pci[3];
  full.pciSubSystemId = (unsigned int)pci[4];
  write_bus_ids(&full);
  memcpy(out, &full, size);
  return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetPciInfo_v3(nvmlDevice_t device, nvmlPciInfo_t *out) {
  return read_pci(__func__, device, out, sizeof *out);
}

// The oldest form ends before pciSubSystemId, which came with NVML 2.285.
nvmlReturn_t nvmlDeviceGetPciInfo(nvmlDevice_t device, nvmlPciInfo_t *out) {
  return read_pci(__func__, device, out, offsetof(nvmlPciInfo_t, pciSubSystemId));
}

// ---- Fields and processes ------------------------------------------------------------------------------

static void read_field(const char *line, nvmlFieldValue_t *field) {
  static const char *const types[] = {"double", "u32", "ulong", "u64", "i64", "i32", "u16"};
  unsigned long long number = 0;
  unsigned int type = 0;
  memset(&field->value, 0xa5, sizeof field->value); // what the type does not cover is garbage, not zero
  field->nvmlReturn = NVML_ERROR_NOT_SUPPORTED;
  if (!line) return;
  const char *value = line + strcspn(line, " \n");
  if (says(line, "return")) {
    numbers(value, 1, &number);
    field->nvmlReturn = (nvmlReturn_t)number;
    return;
  }
  while (type < NVML_VALUE_TYPE_COUNT && !says(line, types[type])) type++;
  if (type == NVML_VALUE_TYPE_COUNT) bad_line(line);
  if (type != NVML_VALUE_TYPE_DOUBLE) numbers(value, 1, &number);
  field->valueType = type;
  field->nvmlReturn = NVML_SUCCESS;
  switch (type) {
    case NVML_VALUE_TYPE_DOUBLE: field->value.dVal = strtod(value, NULL); break;
    case NVML_VALUE_TYPE_UNSIGNED_INT: field->value.uiVal = (unsigned int)number; break;
    case NVML_VALUE_TYPE_UNSIGNED_LONG: field->value.ulVal = (unsigned long)number; break;
    case NVML_VALUE_TYPE_SIGNED_INT: field->value.siVal = (int)number; break;
    case NVML_VALUE_TYPE_UNSIGNED_SHORT: field->value.usVal = (unsigned short)number; break;
    default: field->value.ullVal = number;
  }
}

nvmlReturn_t nvmlDeviceGetFieldValues(nvmlDevice_t device, int count, nvmlFieldValue_t *fields) {
  int gpu = gpu_of(device);
  nvmlReturn_t code = enter(__func__, gpu);
  if (code != NVML_SUCCESS) return code;
  if (!fields || count < 1) return NVML_ERROR_INVALID_ARGUMENT;
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  for (nvmlFieldValue_t *field = fields; field < fields + count; field++) {
    const char *line = setting("gpu %d field.%u.%u", gpu, field->fieldId, field->scopeId);
    if (!line) line = setting("gpu %d field.%u", gpu, field->fieldId);
    field->timestamp = now.tv_sec * 1000000ll + now.tv_nsec / 1000;
    field->latencyUsec = 1;
    read_field(line, field);
  }
  return NVML_SUCCESS;
}

// NVML_FI_DEV_TOTAL_ENERGY_CONSUMPTION under a name of its own.
nvmlReturn_t nvmlDeviceGetTotalEnergyConsumption(nvmlDevice_t device, unsigned long long *millijoules) {
  int gpu = gpu_of(device);
  nvmlReturn_t code = enter(__func__, gpu);
  if (code != NVML_SUCCESS) return code;
  if (!millijoules) return NVML_ERROR_INVALID_ARGUMENT;
  nvmlFieldValue_t field;
  read_field(setting("gpu %d field.83", gpu), &field);
  *millijoules = field.value.ullVal;
  return field.nvmlReturn;
}

// Every form of the record is the beginning of the longest one, which the layout checks prove.
static nvmlReturn_t list_processes(const char *function, nvmlDevice_t device, unsigned int *count, void *out,
                                   size_t record, const char *kind) {
  int gpu = gpu_of(device);
  nvmlReturn_t code = enter(function, gpu);
  if (code != NVML_SUCCESS) return code;
  if (!count || (!out && *count > 0)) return NVML_ERROR_INVALID_ARGUMENT;
  if (record == 0) record = (size_t)number_or(setting("processRecordBytes"), sizeof(nvmlProcessInfo_t));
  char start[64];
  snprintf(start, sizeof start, "\ngpu %d %s ", gpu, kind);
  unsigned int found = 0;
  for (const char *at = file.text; (at = strstr(at, start)) != NULL; at += strlen(start)) found++;
  code = found > *count ? NVML_ERROR_INSUFFICIENT_SIZE : NVML_SUCCESS;
  unsigned int hidden = (unsigned int)number_or(setting("gpu %d growingProcesses", gpu), 0);
  *count = !out && hidden < found ? found - hidden : found;
  if (code != NVML_SUCCESS) return code;
  const char *at = file.text;
  for (unsigned int i = 0; i < found; i++) {
    unsigned long long v[5];
    at = strstr(at, start) + strlen(start);
    numbers(at, 5, v);
    nvmlProcessDetail_v1_t full = {(unsigned int)v[0], v[1], (unsigned int)v[2], (unsigned int)v[3], v[4]};
    memcpy((char *)out + i * record, &full, record);
  }
  return NVML_SUCCESS;
}

#define PROCESSES(function, record, kind)                                             \
  nvmlReturn_t function(nvmlDevice_t device, unsigned int *count, void *out) {        \
    return list_processes(__func__, device, count, out, record, kind);                \
  }

PROCESSES(nvmlDeviceGetComputeRunningProcesses_v3, 0, "process") // 24 or 32 bytes: processRecordBytes
PROCESSES(nvmlDeviceGetComputeRunningProcesses_v2, sizeof(nvmlProcessInfo_t), "process")
PROCESSES(nvmlDeviceGetComputeRunningProcesses, sizeof(nvmlProcessInfo_v1_t), "process")
PROCESSES(nvmlDeviceGetGraphicsRunningProcesses_v3, 0, "graphicsProcess")
PROCESSES(nvmlDeviceGetMPSComputeRunningProcesses_v3, 0, "mpsProcess")

nvmlReturn_t nvmlDeviceGetProcessUtilization(nvmlDevice_t device, nvmlProcessUtilizationSample_t *out,
                                             unsigned int *count, unsigned long long last_seen) {
  int gpu = gpu_of(device);
  nvmlReturn_t code = enter(__func__, gpu);
  if (code != NVML_SUCCESS) return code;
  if (!count) return NVML_ERROR_INVALID_ARGUMENT;
  char start[64];
  snprintf(start, sizeof start, "\ngpu %d processSample ", gpu);
  unsigned int found = 0;
  unsigned long long v[6];
  for (const char *at = file.text; (at = strstr(at, start)) != NULL; at += strlen(start)) {
    numbers(at + strlen(start), 6, v);
    if (v[0] <= last_seen) continue;
    if (out && found < *count)
      out[found] = (nvmlProcessUtilizationSample_t){(unsigned int)v[1], v[0], (unsigned int)v[2],
                                                    (unsigned int)v[3], (unsigned int)v[4], (unsigned int)v[5]};
    found++;
  }
  if (found == 0) return NVML_ERROR_NOT_FOUND;
  code = !out || found > *count ? NVML_ERROR_INSUFFICIENT_SIZE : NVML_SUCCESS;
  *count = found;
  return code;
}

// ---- Events --------------------------------------------------------------------------------------------

U64(nvmlDeviceGetSupportedEventTypes, "eventTypes")

enum { MOST_GPUS = 256 };
struct event_set {
  unsigned long long types[MOST_GPUS], last; // the highest N that was told or that was there at the beginning
};

static unsigned long long newest_event(void) {
  unsigned long long newest = 0, v[1];
  for (const char *at = file.text; (at = strstr(at, "\nevent ")) != NULL; at += 7) {
    numbers(at + 7, 1, v);
    if (v[0] > newest) newest = v[0];
  }
  return newest;
}

nvmlReturn_t nvmlEventSetCreate(nvmlEventSet_t *set) {
  nvmlReturn_t code = enter(__func__, NO_GPU);
  if (code != NVML_SUCCESS) return code;
  if (!set) return NVML_ERROR_INVALID_ARGUMENT;
  struct event_set *made = calloc(1, sizeof *made);
  made->last = newest_event(); // what happened before nobody is told of
  *set = made;
  return NVML_SUCCESS;
}

nvmlReturn_t nvmlEventSetFree(nvmlEventSet_t set) {
  nvmlReturn_t code = enter(__func__, NO_GPU);
  free(set);
  return code;
}

nvmlReturn_t nvmlDeviceRegisterEvents(nvmlDevice_t device, unsigned long long types, nvmlEventSet_t set) {
  int gpu = gpu_of(device);
  nvmlReturn_t code = enter(__func__, gpu);
  if (code != NVML_SUCCESS) return code;
  if (!set) return NVML_ERROR_INVALID_ARGUMENT;
  unsigned long long supported = 0;
  if (!numbers(setting("gpu %d eventTypes", gpu), 1, &supported) || (types & ~supported))
    return NVML_ERROR_NOT_SUPPORTED;
  ((struct event_set *)set)->types[gpu] |= types;
  return NVML_SUCCESS;
}

static int next_event(struct event_set *set, nvmlEventData_t *data) {
  unsigned long long v[6], best[6] = {0};
  for (const char *at = file.text; (at = strstr(at, "\nevent ")) != NULL; at += 7) {
    numbers(at + 7, 6, v);
    if (v[0] > set->last && v[1] < MOST_GPUS && (set->types[v[1]] & v[2]) && (!best[0] || v[0] < best[0]))
      memcpy(best, v, sizeof v);
  }
  if (!best[0]) return 0;
  set->last = best[0];
  *data = (nvmlEventData_t){handle_of((int)best[1], NO_MIG), best[2], best[3], (unsigned int)best[4],
                            (unsigned int)best[5]};
  return 1;
}

nvmlReturn_t nvmlEventSetWait_v2(nvmlEventSet_t set, nvmlEventData_t *data, unsigned int milliseconds) {
  nvmlReturn_t code = enter(__func__, NO_GPU);
  if (code != NVML_SUCCESS) return code;
  if (!set || !data) return NVML_ERROR_INVALID_ARGUMENT;
  for (unsigned int waited = 0;; waited += POLL_MS) {
    if (!initialised()) return NVML_ERROR_UNINITIALIZED;
    if (next_event(set, data)) return NVML_SUCCESS;
    if (waited >= milliseconds) return NVML_ERROR_TIMEOUT;
    sleep_ms(POLL_MS);
    load();
  }
}

// ---- NVLink and topology -------------------------------------------------------------------------------

static nvmlReturn_t read_link(const char *function, nvmlDevice_t device, unsigned int link, const char *what,
                              unsigned long long *out, int count) {
  char key[64];
  snprintf(key, sizeof key, "nvlink.%u.%s", link, what);
  nvmlReturn_t code = read_u64(function, device, key, out, count);
  if (code != NVML_ERROR_NOT_SUPPORTED) return code;
  snprintf(key, sizeof key, "nvlink.%u.active", link);
  int exists = setting_of(device, key) != NULL || setting_of(device, "nvlink.0.active") == NULL;
  return exists ? code : NVML_ERROR_INVALID_ARGUMENT; // a link that a board with links has not
}

nvmlReturn_t nvmlDeviceGetNvLinkState(nvmlDevice_t device, unsigned int link, unsigned int *active) {
  unsigned long long value;
  nvmlReturn_t code = read_link(__func__, device, link, "active", active ? &value : NULL, 1);
  if (code == NVML_SUCCESS) *active = (unsigned int)value;
  return code;
}

nvmlReturn_t nvmlDeviceGetNvLinkRemoteDeviceType(nvmlDevice_t device, unsigned int link, unsigned int *type) {
  unsigned long long value;
  nvmlReturn_t code = read_link(__func__, device, link, "remoteType", type ? &value : NULL, 1);
  if (code == NVML_SUCCESS) *type = (unsigned int)value;
  return code;
}

nvmlReturn_t nvmlDeviceGetNvLinkRemotePciInfo_v2(nvmlDevice_t device, unsigned int link, nvmlPciInfo_t *out) {
  unsigned long long v[3];
  nvmlReturn_t code = read_link(__func__, device, link, "remotePci", out ? v : NULL, 3);
  if (code != NVML_SUCCESS) return code;
  memset(out, 0, sizeof *out);
  out->domain = (unsigned int)v[0];
  out->bus = (unsigned int)v[1];
  out->device = (unsigned int)v[2];
  write_bus_ids(out);
  return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetNvLinkErrorCounter(nvmlDevice_t device, unsigned int link, unsigned int counter,
                                             unsigned long long *count) {
  char what[32];
  snprintf(what, sizeof what, "error.%u", counter);
  return read_link(__func__, device, link, what, count, 1);
}

nvmlReturn_t nvmlDeviceGetTopologyCommonAncestor(nvmlDevice_t device, nvmlDevice_t other, unsigned int *level) {
  char key[64];
  int peer = gpu_of(other);
  snprintf(key, sizeof key, "peer.%d.ancestor", peer);
  return read_u32(__func__, device, key, (unsigned int *[]){peer >= 0 ? level : NULL}, 1);
}

nvmlReturn_t nvmlDeviceGetP2PStatus(nvmlDevice_t device, nvmlDevice_t other, unsigned int capability,
                                    unsigned int *status) {
  char key[64];
  int peer = gpu_of(other);
  snprintf(key, sizeof key, "peer.%d.p2p.%u", peer, capability);
  return read_u32(__func__, device, key, (unsigned int *[]){peer >= 0 ? status : NULL}, 1);
}

// ---- GPU performance monitoring ------------------------------------------------------------------------

enum { GPM_VERSION = 1, WHOLE_GPU = -1, GPM_LEAST_MS = 100 };

struct gpm_sample {
  int gpu, instance; // gpu NO_GPU: nothing was taken yet
  struct timespec at;
};

nvmlReturn_t nvmlGpmQueryDeviceSupport(nvmlDevice_t device, nvmlGpmSupport_t *support) {
  int gpu = gpu_of(device);
  nvmlReturn_t code = enter(__func__, gpu);
  if (code != NVML_SUCCESS) return code;
  if (!support) return NVML_ERROR_INVALID_ARGUMENT;
  if (support->version != GPM_VERSION) return NVML_ERROR_ARGUMENT_VERSION_MISMATCH;
  char start[32];
  snprintf(start, sizeof start, "\ngpu %d gpm.", gpu);
  support->isSupportedDevice = strstr(file.text, start) != NULL;
  return NVML_SUCCESS;
}

nvmlReturn_t nvmlGpmSampleAlloc(nvmlGpmSample_t *sample) {
  nvmlReturn_t code = enter(__func__, NO_GPU);
  if (code != NVML_SUCCESS) return code;
  if (!sample) return NVML_ERROR_INVALID_ARGUMENT;
  struct gpm_sample *made = calloc(1, sizeof *made);
  made->gpu = NO_GPU;
  sample->handle = made;
  return NVML_SUCCESS;
}

nvmlReturn_t nvmlGpmSampleFree(nvmlGpmSample_t sample) {
  nvmlReturn_t code = enter(__func__, NO_GPU);
  free(sample.handle);
  return code;
}

static nvmlReturn_t take_sample(const char *function, nvmlDevice_t device, int instance, nvmlGpmSample_t sample) {
  int gpu = gpu_of(device);
  nvmlReturn_t code = enter(function, gpu);
  if (code != NVML_SUCCESS) return code;
  struct gpm_sample *taken = sample.handle;
  if (!taken) return NVML_ERROR_INVALID_ARGUMENT;
  taken->gpu = gpu;
  taken->instance = instance;
  clock_gettime(CLOCK_MONOTONIC, &taken->at);
  return NVML_SUCCESS;
}

nvmlReturn_t nvmlGpmSampleGet(nvmlDevice_t device, nvmlGpmSample_t sample) {
  return take_sample(__func__, device, WHOLE_GPU, sample);
}

nvmlReturn_t nvmlGpmMigSampleGet(nvmlDevice_t device, unsigned int instance, nvmlGpmSample_t sample) {
  return take_sample(__func__, device, (int)instance, sample);
}

static void read_metric(const struct gpm_sample *of, nvmlGpmMetric_t *metric, int too_near) {
  const char *line = of->instance == WHOLE_GPU
                         ? setting("gpu %d gpm.%u", of->gpu, metric->metricId)
                         : setting("gpu %d gpm.%u.%d", of->gpu, metric->metricId, of->instance);
  metric->nvmlReturn = !line ? NVML_ERROR_NOT_SUPPORTED : too_near ? NVML_ERROR_NO_DATA : NVML_SUCCESS;
  if (metric->nvmlReturn == NVML_SUCCESS) metric->value = strtod(line, NULL); // also "nan"
}

// nvml.h: "Sample1 and Sample2 must be taken at least 100 ms apart". What a driver says of nearer ones: not measured.
nvmlReturn_t nvmlGpmMetricsGet(nvmlGpmMetricsGet_t *get) {
  nvmlReturn_t code = enter(__func__, NO_GPU);
  if (code != NVML_SUCCESS) return code;
  if (!get || get->numMetrics > sizeof get->metrics / sizeof get->metrics[0]) return NVML_ERROR_INVALID_ARGUMENT;
  if (get->version != GPM_VERSION) return NVML_ERROR_ARGUMENT_VERSION_MISMATCH;
  const struct gpm_sample *first = get->sample1.handle, *second = get->sample2.handle;
  if (!first || !second || first->gpu == NO_GPU) return NVML_ERROR_INVALID_ARGUMENT;
  if (first->gpu != second->gpu || first->instance != second->instance) return NVML_ERROR_INVALID_ARGUMENT;
  long apart_ms = (second->at.tv_sec - first->at.tv_sec) * 1000 + (second->at.tv_nsec - first->at.tv_nsec) / 1000000;
  for (unsigned int i = 0; i < get->numMetrics; i++)
    read_metric(second, &get->metrics[i], apart_ms < GPM_LEAST_MS);
  return NVML_SUCCESS;
}
