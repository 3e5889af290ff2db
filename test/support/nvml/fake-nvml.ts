import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import type { FakeBoard } from './fake-board.ts';
import { type FakeField, type FakeGpu, type FakeNvmlConfig, fakeNvmlText } from './fake-config.ts';
import { layoutAsserts } from './layout.ts';

const source = readFileSync(join(import.meta.dirname, 'nvml.c'), 'utf8');
const header = readFileSync(join(import.meta.dirname, 'nvml-abi.h'), 'utf8');
const symbols = new Set(source.match(/\bnvml[A-Z]\w*(?<!_t)\b/g));
const flags = ['-std=c11', '-O1', '-g', '-Wall', '-Wextra', '-Werror', '-shared', '-fPIC', '-pthread'];

let written = 0;

/**
 * Compiles the fake driver, once for each content and set of symbols, and returns the path of its
 * `libnvidia-ml.so.1`. The process that loads it must have `FAKE_NVML_CONFIG` in its environment,
 * or the configuration at `/run/fake-nvml/config`.
 * Safe to call from several processes at once.
 *
 * @param without  functions to leave out of the export table, as an older driver would
 * @throws Error when there is no `cc`, when the C code disagrees with nvml-layout.json, or when `without` names
 *   a function that the fake never had
 */
export function buildFakeNvml({ without = [] }: { without?: readonly string[] } = {}): string {
  without.forEach(checkSymbol);
  const asserts = layoutAsserts(header);
  const exports = `{ global: nvml*; local: ${[...without].sort().join('; ')}${without.length ? ';' : ''} *; };\n`;
  const content = [source, header, asserts, exports, process.arch, ...flags].join('\0');
  const folder = join(
    tmpdir(),
    `fake-nvml-${createHash('sha256').update(content).digest('hex').slice(0, 16)}`,
  );
  const library = join(folder, 'libnvidia-ml.so.1');
  if (existsSync(library)) return library;

  const build = mkdtempSync(join(tmpdir(), 'fake-nvml-build-'));
  try {
    writeFileSync(join(build, 'nvml.c'), source);
    writeFileSync(join(build, 'nvml-abi.h'), header);
    writeFileSync(join(build, 'nvml-layout.h'), asserts);
    writeFileSync(join(build, 'exports.map'), exports);
    compile(build);
    publish(build, folder, library);
  } finally {
    rmSync(build, { recursive: true, force: true });
  }
  return library;
}

/**
 * Writes the configuration atomically; the library reads it at its next call.
 *
 * @throws Error when a fault names a function that the fake does not have
 */
export function writeFakeNvml(path: string, config: FakeNvmlConfig): void {
  const faults = [...(config.returns ?? []), ...(config.delays ?? []), ...(config.hangs ?? [])];
  for (const { symbol } of faults) if (symbol !== undefined) checkSymbol(symbol);
  written += 1;
  const next = `${path}.${process.pid}.${written}`;
  writeFileSync(next, fakeNvmlText(config));
  renameSync(next, path);
}

/** The calls recorded by `countCalls`, oldest first; `gpu` is null for calls that name none. */
export function readCalls(path: string): { pid: number; symbol: string; gpu: number | null }[] {
  if (!existsSync(path)) return [];
  const lines = readFileSync(path, 'utf8').split('\n').slice(0, -1);
  return lines.map((line) => {
    const [pid, symbol = '', gpu] = line.split(' ');
    return { pid: Number(pid), symbol, gpu: gpu === '-' ? null : Number(gpu) };
  });
}

/**
 * A healthy, idle H100 80GB SXM: UUID, serial and PCI address follow from its index. It has no temperature
 * thresholds but T.Limit fields (193 to 196), as nvidia-smi -q shows them on Hopper.
 */
export function h100(index: number, overrides: Partial<FakeGpu> = {}): FakeGpu {
  const mebibyte = 1024 * 1024;
  return {
    name: 'NVIDIA H100 80GB HBM3',
    uuid: `GPU-00000000-0000-4000-8000-${String(index).padStart(12, '0')}`,
    serial: String(1650000000000 + index),
    pci: {
      domain: index >> 3,
      bus: 0x1b + 0x10 * (index & 7),
      device: 0,
      deviceId: 0x233010de,
      subsystemId: 0x16c110de,
    },
    minorNumber: index,
    memoryBytes: { total: 81559 * mebibyte, reserved: 551 * mebibyte, used: 0 },
    utilizationPercent: { gpu: 0, memory: 0 },
    encoder: { percent: 0, microseconds: 167_000 },
    decoder: { percent: 0, microseconds: 167_000 },
    temperatureC: 32,
    powerMilliwatts: 70_000,
    enforcedPowerLimitMilliwatts: 700_000,
    powerLimitMilliwatts: 700_000,
    defaultPowerLimitMilliwatts: 700_000,
    powerLimitRangeMilliwatts: { min: 200_000, max: 700_000 },
    clocksMHz: { graphics: 345, sm: 345, memory: 2619, video: 765 },
    maxClocksMHz: { graphics: 1980, sm: 1980, memory: 2619, video: 1545 },
    clocksEventReasons: 1, // idle
    performanceState: 0,
    eccMode: { current: 1, pending: 1 },
    eccErrors: {
      correctedVolatile: 0,
      correctedAggregate: 0,
      uncorrectedVolatile: 0,
      uncorrectedAggregate: 0,
    },
    remappedRows: { corrected: 0, uncorrected: 0, pending: 0, failure: 0 },
    migMode: { current: 0, pending: 0 },
    persistenceMode: 1,
    eventTypes: 0x1f,
    ...h100Board,
    nvlinks: h100Links,
    fields: h100Fields,
    processes: [],
    ...overrides,
  };
}

const h100Board: FakeBoard = {
  brand: 14, // NVIDIA
  architecture: 9, // Hopper
  computeCapability: { major: 9, minor: 0 },
  boardPartNumber: '692-2G520-0200-000',
  vbiosVersion: '96.00.A5.00.01',
  inforomImageVersion: 'G520.0200.00.05',
  inforomVersion: { oem: '2.1', ecc: '7.16' },
  inforomValid: 1,
  gspFirmwareVersion: '580.126.20',
  moduleId: 1,
  numaAffinity: [1],
  cpuAffinity: ['0x0000ffffffffffff', 0, '0xffff'].map(BigInt),
  computeMode: 0,
  virtualizationMode: 0,
  fabric: { clusterUuid: '0'.repeat(32), state: 3, status: 0, cliqueId: 0, healthMask: 0x1aa },
  bar1Memory: { total: 131_072 * 2 ** 20, used: 6 * 2 ** 20 },
  jpeg: { percent: 0, microseconds: 167_000 },
  ofa: { percent: 0, microseconds: 167_000 },
  pcieGeneration: 5,
  maxPcieGeneration: 5,
  pcieWidth: 16,
  maxPcieWidth: 16,
  temperatureMarginC: 55,
  fanPercents: [],
  eccLocations: [2, 7].map((location) => ({
    location, // DRAM, SRAM
    correctedVolatile: 0,
    uncorrectedVolatile: 0,
    correctedAggregate: 0,
    uncorrectedAggregate: 0,
  })),
  sramEcc: Array(12).fill(0),
  rowRemapHistogram: { max: 2560, high: 0, partial: 0, low: 0, none: 0 },
  repairPending: { channel: 0, tpc: 0 },
  unrepairableMemory: 0,
  maxMigDevices: 7,
};

const h100Links = Array.from({ length: 18 }, (_, link) => ({
  link,
  active: 1,
  remoteType: 2, // switch
  remotePci: { domain: 0, bus: 0xc1 + (link % 4), device: 0 },
}));

/** The counters of time held below by this or that, and of errors, are 0. */
const h100Fields: readonly FakeField[] = [
  ...[74, 75, 76, 77, 78, 79, 80, 81, 269, 270, 271].map((id) => ({ id, type: 'u64', value: 0 }) as const),
  ...[94, 173, 179, 180].map((id) => ({ id, type: 'u32', value: 0 }) as const),
  { id: 91, type: 'u32', value: 18 }, // NVLinks; of each: speed, version, errors
  ...[161, 162, 163].map((id) => ({ id, type: 'u64', value: 0 }) as const),
  { id: 164, type: 'u32', value: 26_562 },
  { id: 166, type: 'u32', value: 4 },
  { id: 82, type: 'u32', value: 36 }, // memory temperature, C
  { id: 83, type: 'u64', value: 6_049_123 }, // energy since driver load, mJ
  { id: 138, type: 'u64', value: 0 }, // NVLink data sent and received, KiB
  { id: 139, type: 'u64', value: 0 },
  { id: 185, type: 'u32', value: 70_000 }, // power, mW: average, instant
  { id: 186, scope: 0, type: 'u32', value: 70_000 },
  { id: 193, type: 'i32', value: -8 }, // T.Limit: shutdown, slowdown, memory max, GPU max
  { id: 194, type: 'i32', value: -2 },
  { id: 195, type: 'i32', value: 0 },
  { id: 196, type: 'i32', value: 0 },
  { id: 197, type: 'u64', value: 0 }, // PCIe bytes sent and received
  { id: 198, type: 'u64', value: 0 },
  { id: 230, type: 'u32', value: 0 }, // recovery action: none
];

function checkSymbol(symbol: string): void {
  if (!symbols.has(symbol)) throw new Error(`the fake driver has no function ${symbol}`);
}

function compile(folder: string): void {
  const link = ['-Wl,-soname,libnvidia-ml.so.1', '-Wl,--version-script=exports.map'];
  const args = [...flags, ...link, '-o', 'libnvidia-ml.so.1', 'nvml.c'];
  try {
    execFileSync('cc', args, { cwd: folder, stdio: 'pipe' });
  } catch (cause) {
    const { code, stderr } = cause as { code?: string; stderr?: Buffer };
    if (code === 'ENOENT') {
      throw new Error(
        'The fake NVIDIA driver needs a C compiler: install one that provides `cc`, for example gcc.',
        {
          cause,
        },
      );
    }
    throw new Error(`The fake NVIDIA driver does not compile:\n${stderr}`, { cause });
  }
}

/** A rename cannot overwrite a folder that has files: who comes second uses the first one's build. */
function publish(build: string, folder: string, library: string): void {
  try {
    renameSync(build, folder);
  } catch (cause) {
    if (!existsSync(library)) throw cause;
  }
}
