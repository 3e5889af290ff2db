import { boardLines, type FakeBoard, type Reading, type Whole } from './fake-board.ts';
import { type FakeLinks, linksLines } from './fake-links.ts';
import { type FakeProcesses, processesLines } from './fake-processes.ts';

/** What the fake driver of one node is and does. One file of it is the whole state: write it anew to change it. */
export interface FakeNvmlConfig {
  /** Default `loaded`. `notLoaded`: init gives 9 and earlier inits are bad (1). `mismatch`: new inits give 18. */
  driver?: 'loaded' | 'notLoaded' | 'mismatch';
  /** A change is a driver reload: all calls give 1 until shutdown and a new init; old handles then give 2. */
  generation?: number;
  /** At most 79 characters each; absent: NOT_SUPPORTED. */
  driverVersion?: string;
  nvmlVersion?: string;
  /** Of the struct that it takes: 1 before R565. */
  platformInfoVersion?: number;
  /** major * 1000 + minor * 10: 13000 is CUDA 13.0. */
  cudaVersion?: number;
  /** The numbers of nvmlConfComputeSystemState_t; absent: NOT_SUPPORTED. */
  confCompute?: { environment: number; feature: number; devTools: number };
  /** In the order of their index. None: init gives 28 unless it is called with the flag NO_GPUS. */
  gpus: readonly FakeGpu[];
  /** A file that init must be able to open for reading and writing: EPERM gives 999, EACCES 4, others 9. */
  deviceNode?: string;
  /** A file that every call appends one line to; read it with `readCalls`. */
  countCalls?: string;
  /** What nvmlDeviceGetComputeRunningProcesses_v3 writes for each process; 32 is the defect of some R535 builds. */
  processRecordBytes?: 24 | 32;
  /** A text that is too long fills the buffer without a final NUL, in place of INSUFFICIENT_SIZE. */
  unterminatedTexts?: 1;
  /** nvmlReturn_t by call. Of several that match, the first applies; 0 exempts a call from those after it. */
  returns?: readonly (Calls & { code: number })[];
  /** Told once to each event set, in the order of their numbers, if they are there when it was created already, never. */
  events?: readonly FakeEvent[];
  /** The call takes this much longer, and then answers from the file as it is then. */
  delays?: readonly (Calls & { ms: number })[];
  /** The call sleeps until the file no longer says so, or is gone. Nothing else wakes it. */
  hangs?: readonly Calls[];
}

/** An event of a GPU; type 8 is an Xid, which is the data. */
export interface FakeEvent {
  number: number;
  gpu: number;
  type: number;
  data: number;
  /** Absent: 0xFFFFFFFF, as NVML says without MIG. */
  gpuInstance?: number;
  computeInstance?: number;
}

/** Which calls a fault strikes. */
interface Calls {
  /** The C function's name; absent: every function except nvmlErrorString. */
  symbol?: string;
  /** Index of the GPU that the call names; absent: every GPU, and calls that name none (init, count, versions). */
  gpu?: number;
}

export interface FakeGpu extends FakeBoard, FakeLinks, FakeProcesses {
  /** At most 95 characters. */
  name: Reading<string>;
  uuid: Reading<string>;
  /** At most 29 characters. */
  serial?: Reading<string>;
  /** deviceId and subsystemId as nvml.h has them: device << 16 | vendor. */
  pci: Reading<{ domain: number; bus: number; device: number; deviceId: number; subsystemId: number }>;
  /** N of /dev/nvidiaN. */
  minorNumber?: Reading<number>;
  /** `used` without what the driver reserves; free is what remains. */
  memoryBytes?: Reading<{ total: Whole; reserved: Whole; used: Whole }>;
  utilizationPercent?: Reading<{ gpu: number; memory: number }>;
  /** Of the video engines, over the time that the driver says it measured. */
  encoder?: Reading<{ percent: number; microseconds: number }>;
  decoder?: Reading<{ percent: number; microseconds: number }>;
  temperatureC?: Reading<number>;
  temperatureThresholdsC?: Reading<{
    shutdown?: number;
    slowdown?: number;
    memoryMax?: number;
    gpuMax?: number;
  }>;
  powerMilliwatts?: Reading<number>;
  enforcedPowerLimitMilliwatts?: Reading<number>;
  powerLimitMilliwatts?: Reading<number>;
  defaultPowerLimitMilliwatts?: Reading<number>;
  powerLimitRangeMilliwatts?: Reading<{ min: number; max: number }>;
  clocksMHz?: Reading<{ graphics?: number; sm?: number; memory?: number; video?: number }>;
  maxClocksMHz?: Reading<{ graphics?: number; sm?: number; memory?: number; video?: number }>;
  /** Bit mask, nvmlClocksEventReason…; both the EventReasons and the ThrottleReasons call answer it. */
  clocksEventReasons?: Reading<Whole>;
  /** 0 is fastest, 15 slowest, 32 unknown. */
  performanceState?: Reading<number>;
  /** 0 off, 1 on. */
  eccMode?: Reading<{ current: number; pending: number }>;
  eccErrors?: Reading<{
    correctedVolatile?: Whole;
    correctedAggregate?: Whole;
    uncorrectedVolatile?: Whole;
    uncorrectedAggregate?: Whole;
  }>;
  /** Counts of rows; `pending` and `failure` are 0 or 1. */
  remappedRows?: Reading<{ corrected: number; uncorrected: number; pending: number; failure: number }>;
  /** Bit mask: nvmlEventType… that it can be registered for. */
  eventTypes?: Reading<number>;
  /** 0 or 1. */
  retiredPagesPending?: Reading<number>;
  /** 0 off, 1 on. */
  migMode?: Reading<{ current: number; pending: number }>;
  /** 0 off, 1 on. */
  persistenceMode?: Reading<number>;
  /** Percent by NVML_GPM_METRIC_…, `1.5` for that of GPU instance 5; absent: GPM is not supported. */
  gpm?: Readonly<Record<string, number>>;
  /** Answers of nvmlDeviceGetFieldValues; fields not named here are NOT_SUPPORTED each. */
  fields?: readonly FakeField[];
}

/** One field: a value of the given C type, or the code in its nvmlReturn. Without `scope` it answers any scope. */
export type FakeField = { id: number; scope?: number } & (
  | { type: 'double' | 'u32' | 'ulong' | 'u64' | 'i64' | 'i32' | 'u16'; value: Whole }
  | { code: number }
);

/** Readings of several numbers on one line, in the order in which nvml.c reads them. */
const tuples = {
  pci: ['domain', 'bus', 'device', 'deviceId', 'subsystemId'],
  memoryBytes: ['total', 'reserved', 'used'],
  utilizationPercent: ['gpu', 'memory'],
  encoder: ['percent', 'microseconds'],
  decoder: ['percent', 'microseconds'],
  powerLimitRangeMilliwatts: ['min', 'max'],
  eccMode: ['current', 'pending'],
  remappedRows: ['corrected', 'uncorrected', 'pending', 'failure'],
  migMode: ['current', 'pending'],
  computeCapability: ['major', 'minor'],
  platform: ['ibGuid', 'chassisSerialNumber', 'slotNumber', 'trayIndex', 'hostId', 'peerType', 'moduleId'],
  fabric: ['clusterUuid', 'state', 'status', 'cliqueId', 'healthMask'],
  bar1Memory: ['total', 'used'],
  jpeg: ['percent', 'microseconds'],
  ofa: ['percent', 'microseconds'],
  rowRemapHistogram: ['max', 'high', 'partial', 'low', 'none'],
  repairPending: ['channel', 'tpc'],
} as const;

const clocks = { graphics: '0', sm: '1', memory: '2', video: '3' };

/** Readings asked for by a type: the member's name here → NVML's numbers. */
const typed = {
  temperatureThresholdsC: { shutdown: '0', slowdown: '1', memoryMax: '2', gpuMax: '3' },
  clocksMHz: clocks,
  maxClocksMHz: clocks,
  eccErrors: {
    correctedVolatile: '0.0',
    correctedAggregate: '0.1',
    uncorrectedVolatile: '1.0',
    uncorrectedAggregate: '1.1',
  },
} as const;

/** The text of a configuration, in the format that nvml.c describes. */
export function fakeNvmlText(config: FakeNvmlConfig): string {
  const { gpus, confCompute, events = [], returns = [], delays = [], hangs = [], ...settings } = config;
  const lines = [
    ...Object.entries(settings).map(([name, value]) => `${name} ${value}`),
    ...(confCompute
      ? [`confCompute ${confCompute.environment} ${confCompute.feature} ${confCompute.devTools}`]
      : []),
    `gpus ${gpus.length}`,
    ...events.map(eventLine),
    ...hangs.map((hang) => `hang ${target(hang)}`),
    ...delays.map((delay) => `delay ${target(delay)} ${delay.ms}`),
    ...returns.map((answer) => `return ${target(answer)} ${answer.code}`),
    ...gpus.flatMap((gpu, index) => gpuLines(gpu).map((line) => `gpu ${index} ${line}`)),
  ];
  for (const line of lines) {
    if (line.includes('\n')) throw new Error(`a setting has a line break: ${JSON.stringify(line)}`);
  }
  return `${lines.join('\n')}\n`;
}

function target({ symbol = '*', gpu }: Calls): string {
  return `${symbol} ${gpu ?? '*'}`;
}

function eventLine(event: FakeEvent): string {
  const { number, gpu, type, data, gpuInstance = 0xffffffff, computeInstance = 0xffffffff } = event;
  return `event ${number} ${gpu} ${type} ${data} ${gpuInstance} ${computeInstance}`;
}

function gpuLines({ fields = [], gpm = {}, ...others }: FakeGpu): string[] {
  const { lines: processLines, rest: unlinked } = processesLines(others);
  const { lines: linkLines, rest: readings } = linksLines(unlinked);
  const { lines, rest } = boardLines(readings);
  return [
    ...Object.entries(rest).flatMap(([name, value]) => readingLines(name, value)),
    ...lines,
    ...fields.map(fieldLine),
    ...Object.entries(gpm).map(([metric, percent]) => `gpm.${metric} ${percent}`.replace('NaN', 'nan')),
    ...processLines,
    ...linkLines,
  ];
}

function readingLines(name: string, value: string | Whole | object | null | undefined): string[] {
  if (value === null || value === undefined) return [];
  if (typeof value !== 'object') return [`${name} ${value}`];
  const members = value as Record<string, Whole | undefined>;
  if (Object.hasOwn(tuples, name)) {
    return [[name, ...tuples[name as keyof typeof tuples].map((member) => members[member])].join(' ')];
  }
  return Object.entries(typed[name as keyof typeof typed]).flatMap(([member, type]) =>
    members[member] === undefined ? [] : [`${name}.${type} ${members[member]}`],
  );
}

function fieldLine(field: FakeField): string {
  const key = field.scope === undefined ? `field.${field.id}` : `field.${field.id}.${field.scope}`;
  return 'code' in field ? `${key} return ${field.code}` : `${key} ${field.type} ${field.value}`;
}
