"""Evaluates each expression for each GPU. JSON on stdin and stdout; the names of pynvml, and those below, are in scope."""

import functools
import json
import math
import sys
import time
from ctypes import byref

import pynvml
from pynvml import *


def attempt(ask, *args):
    """None where it is not told."""
    try:
        return ask(*args)
    except Exception:
        return None


def field(gpu, number, scope=0):
    answer, = nvmlDeviceGetFieldValues(gpu, [(number, scope)])
    if answer.nvmlReturn:
        raise NVMLError(answer.nvmlReturn)
    return getattr(answer.value, ['dVal', 'uiVal', 'ulVal', 'ullVal', 'sllVal', 'siVal', 'usVal'][answer.valueType])


def filled(ask, gpu, struct):
    """For functions that fill a struct of the caller's."""
    ask(gpu, byref(struct))
    return struct


def place(platform):
    """A board outside of a rack fills in zeros, and its module."""
    if not any(bytes(platform)[4:38]):
        raise ValueError('it knows no place')
    return platform


CONFIGURATIONS = ['', '', 'incorrectSystemGuid', 'incorrectChassisSerialNumber', 'noPartition', 'insufficientNvlinks',
                  'incompatibleGpuFirmware', 'invalidLocation', 'invalidState']


def fabric_faults(mask):
    """NVML_GPU_FABRIC_HEALTH_MASK_*: two bits for each, of which 1 is wrong and 0 not told, and four for the configuration."""
    names = ['degradedBandwidth', 'routeRecovery', 'routeUnhealthy', 'accessTimeout']
    bits = [mask >> shift & 3 for shift in (0, 2, 4, 6)]
    configuration = mask >> 8 & 15
    faults = [name for name, bit in zip(names, bits) if bit == 1]
    faults += [CONFIGURATIONS[configuration]] if configuration > 1 else []
    faults += ['partitionNotAssigned'] if mask >> 12 & 3 == 2 else []
    return faults if faults or all(bits + [configuration]) else None


def members(struct, names):
    return {ours: getattr(struct, theirs) for ours, theirs in names.items()}


def named(prefix, number):
    """The constant's name without the prefix. Of several that mean the same the last."""
    names = [name for name, value in vars(pynvml).items() if name.startswith(prefix) and value == number]
    return names[-1][len(prefix):]


def ones(words):
    return [64 * at + bit for at, word in enumerate(words) for bit in range(64) if word >> bit & 1]


def links(gpu, ask):
    return [ask(link) for link in range(field(gpu, NVML_FI_DEV_NVLINK_LINK_COUNT))]


def up_links(gpu, ask):
    """None for a link that is not active."""
    is_up = lambda link: attempt(nvmlDeviceGetNvLinkState, gpu, link) == NVML_FEATURE_ENABLED
    return links(gpu, lambda link: attempt(ask, link) if is_up(link) else None)


def link_bytes(gpu, all_links, one_link):
    kibibytes = attempt(field, gpu, all_links, 0xffffffff)
    if kibibytes is not None:
        return kibibytes * 1024
    counts = [count for count in links(gpu, lambda link: attempt(field, gpu, one_link, link)) if count is not None]
    return sum(counts) if counts else field(gpu, all_links, 0xffffffff)


def link_errors(gpu, link, fields, older):
    """Of one link: as fields, or where it has none of them by the call of NVLink up to 3."""
    counts = {name: attempt(field, gpu, number, link) for name, number in fields.items()}
    if all(count is None for count in counts.values()):
        counts = {name: attempt(nvmlDeviceGetNvLinkErrorCounter, gpu, link, number) for name, number in older.items()}
    return {name: rate(count) if name.endswith('Ber') else count for name, count in counts.items() if count is not None}


def rate(count):
    """NVML_NVLINK_ERROR_COUNTER_BER_*: mantissa and exponent."""
    return (count >> 8 & 0xf) * 10.0 ** -(count & 0xff)


def migs(gpu):
    if nvmlDeviceGetMigMode(gpu)[0] != NVML_DEVICE_MIG_ENABLE:
        return []
    places = range(nvmlDeviceGetMaxMigDeviceCount(gpu))
    handles = [attempt(nvmlDeviceGetMigDeviceHandleByIndex, gpu, place) for place in places]
    return [mig for mig in handles if mig is not None]


def processes(gpu):
    """By pid, kinds and MIG instances: the memory that each uses, None where that is not told."""
    calls = {
        'compute': nvmlDeviceGetComputeRunningProcesses,
        'graphics': nvmlDeviceGetGraphicsRunningProcesses,
        'mps': nvmlDeviceGetMPSComputeRunningProcesses,
    }
    lists = {kind: attempt(ask, gpu) for kind, ask in calls.items()}
    if all(listed is None for listed in lists.values()):
        raise NVMLError(NVML_ERROR_NOT_SUPPORTED)
    found = {}
    for kind, listed in lists.items():
        for process in listed or []:
            instances = [process.gpuInstanceId, process.computeInstanceId]
            known = found.setdefault((process.pid, *(f'{each}' for each in instances if each != 0xffffffff)), {})
            known[kind] = process.usedGpuMemory
    return {
        ' '.join([str(pid), '+'.join(used), *instances]): list(used.values())[-1]
        for (pid, *instances), used in found.items()
    }


def address(gpu):
    pci = nvmlDeviceGetPciInfo(gpu)
    return f'{pci.domain:04x}:{pci.bus:02x}:{pci.device:02x}.0'


def peers(gpu, ask):
    """By the PCI address of each other GPU, where it is told."""
    answers = {address(peer): attempt(ask, peer) for peer in gpus if peer is not gpu}
    return {peer: answer for peer, answer in answers.items() if answer is not None}


def gpm(gpu):
    return gpm_of(nvmlDeviceGetIndex(gpu))


@functools.lru_cache(None)
def gpm_of(index):
    """By number: what the units of the GPU do, over a quarter of a second."""
    gpu = gpus[index]
    if not nvmlGpmQueryDeviceSupport(gpu).isSupportedDevice:
        raise NVMLError(NVML_ERROR_NOT_SUPPORTED)
    wanted = [number for number in range(1, 14) if number != 8]  # which is younger than the others
    question = c_nvmlGpmMetricsGet_t(version=NVML_GPM_METRICS_GET_VERSION, numMetrics=len(wanted))
    for metric, number in zip(question.metrics, wanted):
        metric.metricId = number
    question.sample1 = nvmlGpmSampleGet(gpu, nvmlGpmSampleAlloc())
    time.sleep(0.25)
    question.sample2 = nvmlGpmSampleGet(gpu, nvmlGpmSampleAlloc())
    answers = nvmlGpmMetricsGet(question).metrics[:len(wanted)]
    return {each.metricId: each.value for each in answers if not each.nvmlReturn and math.isfinite(each.value)}


def told(gpu, expression):
    try:
        return json.dumps(eval(expression, {**globals(), 'gpu': gpu}), default=bytes.decode)
    except Exception as error:
        return f'[error: {error}]'


expressions = json.load(sys.stdin)
nvmlInit()
gpus = [nvmlDeviceGetHandleByIndex(index) for index in range(nvmlDeviceGetCount())]
answers = {}
for gpu in gpus:
    uuid = nvmlDeviceGetUUID(gpu)
    uuid = uuid.decode() if isinstance(uuid, bytes) else uuid
    answers[uuid] = {expression: told(gpu, expression) for expression in expressions}
json.dump(answers, sys.stdout)
