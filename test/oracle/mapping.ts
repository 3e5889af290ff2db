import { eccLocationNames } from '../../src/core/errors-readings.ts';
import type { GpuReadings } from '../../src/core/gpu.ts';
import { clocksEventReasonBits } from '../../src/core/power-readings.ts';
import {
  bits,
  type Check,
  drift,
  type Form,
  json,
  lowerCase,
  mebibytes,
  microseconds,
  number,
  onOff,
  pciAddress,
  type Source,
  text,
  type Untold,
  watts,
  words,
  yesNo,
} from './check.ts';

const count = number();

const whole = (reading: unknown) => reading;
const member = (name: string) => (reading: unknown) => (reading as Record<string, unknown>)[name];

/** A reading of one value. */
function one(form: Form, from: readonly Source[], moves?: number): Check {
  return { of: whole, from, form, ...(moves !== undefined && { moves }) };
}

/** A value of a reading that has several. */
function part(name: string, form: Form, from: readonly Source[], moves?: number): Check {
  return { ...one(form, from, moves), part: name, of: member(name) };
}

const mode = (query: string) =>
  (['current', 'pending'] as const).map((when) => part(when, onOff, [`query ${query}.${when}`]));

const recoveryWords = words({
  None: 'none',
  Reset: 'gpuReset',
  'GPU Reset': 'gpuReset',
  Reboot: 'nodeReboot',
  'Node Reboot': 'nodeReboot',
  'Drain P2P': 'drainP2P',
  'Drain and Reset': 'drainAndReset',
});
const computeModes = words({
  Default: 'default',
  Exclusive_Thread: 'exclusiveThread',
  Prohibited: 'prohibited',
  Exclusive_Process: 'exclusiveProcess',
});
const virtualizationModes = words({
  None: 'none',
  'Pass-Through': 'passthrough',
  VGPU: 'vgpu',
  'Host VGPU': 'hostVgpu',
  'Host VSGA': 'hostVsga',
});
const fabricStates = words({
  'N/A': 'notSupported',
  'Not Supported': 'notSupported',
  'Not Started': 'notStarted',
  'In Progress': 'inProgress',
  Completed: 'completed',
});
const architecture: Form = { read: (told) => lowerCase.read(told === 'Ada Lovelace' ? 'Ada' : told) };
const withoutDashes: Form = { read: (told) => told.replaceAll('-', '') };

/** `0/1/0`: index, GPU instance and compute instance of each. */
const migDevices: Form = {
  read(told) {
    if (told === 'None') return [];
    const { mig_device: devices = [] } = (json.read(told) ?? {}) as { mig_device?: Record<string, string>[] };
    return devices.map(
      (each) => `${each['index']}/${each['gpu_instance_id']}/${each['compute_instance_id']}`,
    );
  },
};
const migNumbers = (reading: unknown) =>
  (reading as Record<string, unknown>[]).map(
    (each) => `${each['index']}/${each['gpuInstanceId']}/${each['computeInstanceId']}`,
  );

const eccCounts = {
  correctedVolatile: 'corrected.volatile',
  uncorrectedVolatile: 'uncorrected.volatile',
  correctedAggregate: 'corrected.aggregate',
  uncorrectedAggregate: 'uncorrected.aggregate',
} as const;
/** As nvidia-smi names our eccLocationNames. */
const eccPlaces = ['l1_cache', 'l2_cache', 'dram', 'register_file', 'texture_memory', '', 'cbu', 'sram'];

const eccLocations = eccLocationNames.flatMap((location, at): readonly (Check | Untold)[] => {
  const place = eccPlaces[at];
  if (!place) return [{ part: location, why: 'no field of --query-gpu' }];
  return Object.entries(eccCounts).map(([name, field]) => ({
    ...one(count, [`query ecc.errors.${field}.${place}`]),
    part: `${location}.${name}`,
    of: (reading) =>
      (reading as Record<string, unknown>[]).find((each) => each['location'] === location)?.[name],
  }));
});

const unretold = (why: string): readonly Untold[] => [{ why }];
const noField = 'only a field of NVML tells it';
const topology = 'nvidia-smi topo -m tells it, in a table for people';

/** Every reading of the inventory, the metrics and the health, and who else tells it. */
export const mapping: Readonly<Record<keyof GpuReadings, readonly (Check | Untold)[]>> = {
  name: [one(text, ['query name'])],
  uuid: [one(text, ['query uuid'])],
  serial: [one(text, ['query serial'])],
  pciAddress: [one(pciAddress, ['query pci.bus_id'])],
  minorNumber: [one(count, ['xml minor_number'])],
  brand: [one(text, ['xml product_brand'])],
  architecture: [one(architecture, ['xml product_architecture'])],
  computeCapability: [one(text, ['query compute_cap'])],
  boardPartNumber: [one(text, ['xml board_part_number'])],
  vbiosVersion: [one(text, ['query vbios_version'])],
  inforomImageVersion: [one(text, ['query inforom.img'])],
  inforomOemVersion: [one(text, ['query inforom.oem'])],
  inforomEccVersion: [one(text, ['query inforom.ecc'])],
  inforomPowerVersion: [one(text, ['query inforom.pwr'])],
  inforomValid: [one(words({ valid: true, invalid: false }), ['query inforom.checksum_validation'])],
  gspFirmwareVersion: [one(text, ['xml gsp_firmware_version'])],
  moduleId: [one(count, ['query platform.module_id', 'xml platformInfo/module_id'])],
  platform: [
    // --query-gpu prints zeros for a board that knows no place, -q that there is none.
    part('chassisSerialNumber', text, ['xml platformInfo/chassis_serial_number']),
    part('slotNumber', count, ['xml platformInfo/slot_number']),
    part('trayIndex', count, ['xml platformInfo/tray_index']),
    part('hostId', count, ['xml platformInfo/host_id']),
    part('peerType', words({ 'Direct Connected': 'direct', 'Switch Connected': 'switch' }), [
      'xml platformInfo/peer_type',
    ]),
    { part: 'moduleId', why: 'platform.module_id of nvidia-smi is the reading moduleId' },
    { part: 'ibGuid', why: 'nvidia-smi tells a gpu_fabric_guid of 8 bytes, this has 16' },
  ],
  numaNode: unretold(topology),
  numaAffinity: unretold(topology),
  cpuAffinity: unretold(topology),

  memory: [
    part('totalBytes', mebibytes, ['query memory.total']),
    part('reservedBytes', mebibytes, ['query memory.reserved'], drift.memory),
    part('usedBytes', mebibytes, ['query memory.used'], drift.memory),
    part('freeBytes', mebibytes, ['query memory.free'], drift.memory),
  ],
  bar1Memory: [
    part('totalBytes', mebibytes, ['xml bar1_memory_usage/total']),
    part('usedBytes', mebibytes, ['xml bar1_memory_usage/used'], drift.memory),
    part('freeBytes', mebibytes, ['xml bar1_memory_usage/free'], drift.memory),
  ],
  utilization: [
    part('gpuPercent', count, ['query utilization.gpu'], drift.percent),
    part('memoryPercent', count, ['query utilization.memory'], drift.percent),
  ],
  encoderPercent: [one(count, ['query utilization.encoder'], drift.percent)],
  decoderPercent: [one(count, ['query utilization.decoder'], drift.percent)],
  jpegPercent: [one(count, ['query utilization.jpeg', 'xml utilization/jpeg_util'], drift.percent)],
  ofaPercent: [one(count, ['query utilization.ofa', 'xml utilization/ofa_util'], drift.percent)],
  performanceState: [one(count, ['query pstate'], drift.none)],
  graphicsClockMhz: [one(count, ['query clocks.current.graphics'], drift.megahertz)],
  smClockMhz: [one(count, ['query clocks.current.sm'], drift.megahertz)],
  memoryClockMhz: [one(count, ['query clocks.current.memory'], drift.megahertz)],
  videoClockMhz: [one(count, ['query clocks.current.video'], drift.megahertz)],
  maxGraphicsClockMhz: [one(count, ['query clocks.max.graphics'])],
  maxSmClockMhz: [one(count, ['query clocks.max.sm'])],
  maxMemoryClockMhz: [one(count, ['query clocks.max.memory'])],
  maxVideoClockMhz: [one(count, ['xml max_clocks/video_clock'])],
  pcieGeneration: [one(count, ['query pcie.link.gen.gpucurrent', 'query pcie.link.gen.current'], drift.none)],
  maxPcieGeneration: [one(count, ['query pcie.link.gen.max'])],
  pcieWidth: [one(count, ['query pcie.link.width.current'], drift.none)],
  maxPcieWidth: [one(count, ['query pcie.link.width.max'])],
  pcieTxBytes: unretold(noField),
  pcieRxBytes: unretold(noField),
  nvlinkTxBytes: unretold('nvidia-smi nvlink -gt d tells it link by link'),
  nvlinkRxBytes: unretold('nvidia-smi nvlink -gt d tells it link by link'),

  temperatureC: [one(count, ['query temperature.gpu'], drift.celsius)],
  temperatureMarginC: [
    one(count, ['query temperature.gpu.tlimit', 'xml temperature/gpu_temp_tlimit'], drift.celsius),
  ],
  memoryTemperatureC: [one(count, ['query temperature.memory'], drift.celsius)],
  slowdownTemperatureC: [one(count, ['xml temperature/gpu_temp_slow_threshold'])],
  shutdownTemperatureC: [one(count, ['xml temperature/gpu_temp_max_threshold'])],
  maxMemoryTemperatureC: [one(count, ['xml temperature/gpu_temp_max_mem_threshold'])],
  maxTemperatureC: [one(count, ['xml temperature/gpu_temp_max_gpu_threshold'])],
  slowdownMarginC: [one(count, ['xml temperature/gpu_temp_slow_tlimit_threshold'])],
  shutdownMarginC: [one(count, ['xml temperature/gpu_temp_max_tlimit_threshold'])],
  maxMarginC: [one(count, ['xml temperature/gpu_temp_max_gpu_tlimit_threshold'])],
  maxMemoryMarginC: [one(count, ['xml temperature/gpu_temp_max_mem_tlimit_threshold'])],
  fanPercents: [
    { ...one(count, ['query fan.speed'], drift.percent), part: 'first', of: (fans) => (fans as number[])[0] },
    { part: 'others', why: 'nvidia-smi tells one fan' },
  ],
  powerWatts: [one(watts, ['query power.draw'], drift.watts)],
  instantPowerWatts: [one(watts, ['query power.draw.instant'], drift.watts)],
  averagePowerWatts: [one(watts, ['query power.draw.average'], drift.watts)],
  modulePowerWatts: [one(watts, ['query module.power.draw.instant'], drift.watts)],
  powerLimitWatts: [one(watts, ['query enforced.power.limit'])],
  defaultPowerLimitWatts: [one(watts, ['query power.default_limit'])],
  powerLimitRange: [
    part('minWatts', watts, ['query power.min_limit']),
    part('maxWatts', watts, ['query power.max_limit']),
  ],
  energyJoules: unretold('nvidia-smi does not tell it'),
  clocksEventReasons: [
    one(
      bits(clocksEventReasonBits),
      ['query clocks_event_reasons.active', 'query clocks_throttle_reasons.active'],
      drift.none,
    ),
  ],

  powerViolationSeconds: [
    one(microseconds, ['query clocks_event_reasons_counters.sw_power_cap'], drift.none),
  ],
  thermalViolationSeconds: unretold(noField),
  syncBoostViolationSeconds: [
    one(microseconds, ['query clocks_event_reasons_counters.sync_boost'], drift.none),
  ],
  boardLimitViolationSeconds: unretold(noField),
  lowUtilizationViolationSeconds: unretold(noField),
  reliabilityViolationSeconds: unretold(noField),
  appClocksViolationSeconds: unretold(noField),
  baseClocksViolationSeconds: unretold(noField),
  swThermalSlowdownSeconds: [
    one(microseconds, ['query clocks_event_reasons_counters.sw_thermal_slowdown'], drift.none),
  ],
  hwThermalSlowdownSeconds: [
    one(microseconds, ['query clocks_event_reasons_counters.hw_thermal_slowdown'], drift.none),
  ],
  hwPowerBrakeSlowdownSeconds: [
    one(microseconds, ['query clocks_event_reasons_counters.hw_power_brake_slowdown'], drift.none),
  ],

  eccMode: mode('ecc.mode'),
  eccCorrectedVolatile: [one(count, ['query ecc.errors.corrected.volatile.total'], drift.none)],
  eccUncorrectedVolatile: [one(count, ['query ecc.errors.uncorrected.volatile.total'], drift.none)],
  eccCorrectedAggregate: [one(count, ['query ecc.errors.corrected.aggregate.total'], drift.none)],
  eccUncorrectedAggregate: [one(count, ['query ecc.errors.uncorrected.aggregate.total'], drift.none)],
  eccLocations,
  sramEcc: [
    part('thresholdExceeded', yesNo, [
      'query ecc.errors.uncorrected.aggregate.sram.thresholdExceeded',
      'xml ecc_errors/aggregate/sram_threshold_exceeded',
    ]),
    part('correctedVolatile', count, ['xml ecc_errors/volatile/sram_correctable']),
    part('uncorrectedParityVolatile', count, ['xml ecc_errors/volatile/sram_uncorrectable_parity']),
    part('uncorrectedSecDedVolatile', count, ['xml ecc_errors/volatile/sram_uncorrectable_secded']),
    part('correctedAggregate', count, ['xml ecc_errors/aggregate/sram_correctable']),
    part('uncorrectedParityAggregate', count, ['xml ecc_errors/aggregate/sram_uncorrectable_parity']),
    part('uncorrectedSecDedAggregate', count, ['xml ecc_errors/aggregate/sram_uncorrectable_secded']),
    part('l2', count, ['xml ecc_errors/aggregate_uncorrectable_sram_sources/sram_l2']),
    part('sm', count, ['xml ecc_errors/aggregate_uncorrectable_sram_sources/sram_sm']),
    part('microcontroller', count, [
      'xml ecc_errors/aggregate_uncorrectable_sram_sources/sram_microcontroller',
    ]),
    part('pcie', count, ['xml ecc_errors/aggregate_uncorrectable_sram_sources/sram_pcie']),
    part('other', count, ['xml ecc_errors/aggregate_uncorrectable_sram_sources/sram_other']),
  ],
  remappedRows: [
    part('correctable', count, ['xml remapped_rows/remapped_row_corr']),
    part('uncorrectable', count, ['xml remapped_rows/remapped_row_unc']),
    part('pending', yesNo, ['xml remapped_rows/remapped_row_pending']),
    part('failed', yesNo, ['xml remapped_rows/remapped_row_failure']),
  ],
  rowRemapHistogram: (['max', 'high', 'partial', 'low', 'none'] as const).map((left) =>
    part(left, count, [
      `query remapped_rows.histogram.${left}`,
      `xml remapped_rows/row_remapper_histogram/row_remapper_histogram_${left}`,
    ]),
  ),
  retiredPagesPending: [one(yesNo, ['query retired_pages.pending'])],
  retiredPagesSingleBit: [one(count, ['query retired_pages.single_bit_ecc.count'])],
  retiredPagesDoubleBit: [one(count, ['query retired_pages.double_bit.count'])],
  repairPending: [
    part('channel', yesNo, ['xml ecc_errors/channel_repair_pending']),
    part('tpc', yesNo, ['xml ecc_errors/tpc_repair_pending']),
  ],
  unrepairableMemory: [one(yesNo, ['xml ecc_errors/unrepairable_memory'])],
  recoveryAction: [one(recoveryWords, ['query gpu_recovery_action', 'xml gpu_recovery_action'])],
  pcieReplays: [one(count, ['xml pci/replay_counter'], drift.none)],
  pcieCorrectableErrors: unretold(noField),
  pcieNonFatalErrors: unretold(noField),
  pcieFatalErrors: unretold(noField),

  computeMode: [one(computeModes, ['query compute_mode'])],
  virtualizationMode: [one(virtualizationModes, ['xml gpu_virtualization_mode/virtualization_mode'])],
  persistenceMode: [one(onOff, ['query persistence_mode'])],
  migMode: mode('mig.mode'),
  migDevices: [
    { ...one(migDevices, ['xml mig_devices']), part: 'instances', of: migNumbers },
    ...['uuid', 'name'].map((name) => ({ part: name, why: 'nvidia-smi -L tells it' })),
    ...['memory', 'slices'].map((name) => ({ part: name, why: 'nvidia-smi tells other shares of it' })),
  ],
  fabric: [
    part('state', fabricStates, ['query fabric.state', 'xml fabric/state']),
    part('status', words({ Success: 0 }), ['query fabric.status', 'xml fabric/status']),
    part('cliqueId', count, ['query fabric.cliqueId', 'xml fabric/cliqueId']),
    part('clusterUuid', withoutDashes, ['query fabric.clusterUuid', 'xml fabric/clusterUuid']),
    { part: 'faults', why: 'nvidia-smi words its health by driver version' },
  ],
  nvlinks: ['active', 'version', 'speedMegabytesPerSecond', 'remoteType', 'remotePciAddress', 'errors'].map(
    (name) => ({ part: name, why: 'nvidia-smi nvlink --status and -e tell it, link by link' }),
  ),
};
