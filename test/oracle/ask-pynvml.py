"""Evaluates each expression for each GPU. JSON on stdin and stdout; the names of pynvml, and those below, are in scope."""

import json
import sys
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
