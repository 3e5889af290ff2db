# Evaluates expressions on every GPU with NVIDIA's own binding (pip install nvidia-ml-py): stdin [[name, expression], …],
# stdout {PCI address: {name: text}}. In an expression `h` is the GPU. What fails is told as "[Not Supported]".
import json
import sys

from pynvml import *


def field(h, number, scope=0):
    value = nvmlDeviceGetFieldValues(h, [(number, scope)])[0]
    if value.nvmlReturn != NVML_SUCCESS:
        raise NVMLError(value.nvmlReturn)
    members = ["dVal", "uiVal", "ulVal", "ullVal", "sllVal", "siVal", "usVal"]
    return getattr(value.value, members[value.valueType])


def bits(words):
    return [64 * at + bit for at, word in enumerate(words) for bit in range(64) if word >> bit & 1]


def ranges(numbers):
    runs = []
    for number in numbers:
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ",".join(str(a) if a == b else "%d-%d" % (a, b) for a, b in runs)


def migs(h):
    def there(index):
        try:
            nvmlDeviceGetMigDeviceHandleByIndex(h, index)
            return True
        except NVMLError:
            return False

    if nvmlDeviceGetMigMode(h)[0] == 0:
        return 0
    return sum(there(index) for index in range(nvmlDeviceGetMaxMigDeviceCount(h)))


def told(h, expression):
    try:
        value = eval(expression, globals(), {"h": h})
    except NVMLError:
        return "[Not Supported]"
    if isinstance(value, list):
        return " ".join(str(item) for item in sorted(value))
    return value.decode() if isinstance(value, bytes) else str(value)


asked = json.load(sys.stdin)
nvmlInit()
answer = {}
for index in range(nvmlDeviceGetCount()):
    h = nvmlDeviceGetHandleByIndex(index)
    address = nvmlDeviceGetPciInfo(h).busId
    address = address.decode() if isinstance(address, bytes) else address
    answer[address] = {name: told(h, expression) for name, expression in asked}
print(json.dumps(answer))
