import { pciSlot } from '../../src/core/pci.ts';

/** How others tell one value of ours. */
export interface Mapped {
  /** Where it is in our rows, `memory.totalBytes`; an item of a list by its place, `location` or `link`. */
  readonly ours: string;
  /** Below `<gpu>` of nvidia-smi -q -x; drivers have renamed some: the first that is there. */
  readonly xml?: readonly string[];
  /** A field of nvidia-smi --query-gpu. */
  readonly query?: string;
  /** An expression of Python: see ask-pynvml.py. */
  readonly pynvml?: string;
  /** Their number times this is ours. */
  readonly scale?: number;
  /** What rounding and time may take, in our unit. */
  readonly tolerance?: number;
  /** Their word → ours, where it is not the same but for case and signs. */
  readonly words?: Readonly<Record<string, string>>;
  /** What two texts must have in common; else all letters and digits. */
  readonly essence?: (text: string) => string;
}

const mebibyte = { scale: 2 ** 20, tolerance: 2 ** 20 };
const microseconds = { scale: 1e-6, tolerance: 0.001 };
const nanoseconds = { scale: 1e-9, tolerance: 0.001 };
const watts = { tolerance: 1 };

const xml = (ours: string, path: string, more: Partial<Mapped> = {}): Mapped => ({
  ours,
  xml: path.split('|'),
  ...more,
});
const pynvml = (ours: string, expression: string, more: Partial<Mapped> = {}): Mapped => ({
  ours,
  pynvml: expression,
  ...more,
});

const identity: readonly Mapped[] = [
  xml('name', 'product_name', { pynvml: 'nvmlDeviceGetName(h)' }),
  xml('uuid', 'uuid', { pynvml: 'nvmlDeviceGetUUID(h)' }),
  xml('serial', 'serial', { pynvml: 'nvmlDeviceGetSerial(h)' }),
  xml('pciAddress', 'pci.pci_bus_id', { pynvml: 'nvmlDeviceGetPciInfo(h).busId', essence: pciSlot }),
  xml('minorNumber', 'minor_number', { pynvml: 'nvmlDeviceGetMinorNumber(h)' }),
  xml('brand', 'product_brand'),
  xml('architecture', 'product_architecture', { words: { 'Ada Lovelace': 'ada' } }),
  {
    ours: 'computeCapability',
    query: 'compute_cap',
    pynvml: '"%d.%d" % nvmlDeviceGetCudaComputeCapability(h)',
  },
  xml('boardPartNumber', 'board_part_number', { pynvml: 'nvmlDeviceGetBoardPartNumber(h)' }),
  xml('vbiosVersion', 'vbios_version', { pynvml: 'nvmlDeviceGetVbiosVersion(h)' }),
  xml('inforomImageVersion', 'inforom_version.img_version'),
  xml('inforomOemVersion', 'inforom_version.oem_object'),
  xml('inforomEccVersion', 'inforom_version.ecc_object'),
  xml('inforomPowerVersion', 'inforom_version.pwr_object'),
  { ours: 'inforomValid', query: 'inforom.checksum_validation' },
  xml('gspFirmwareVersion', 'gsp_firmware_version', { pynvml: 'nvmlDeviceGetGspFirmwareVersion(h)' }),
  pynvml('moduleId', 'nvmlDeviceGetModuleId(h)'),
  xml('platform.slotNumber', 'platformInfo.slot_number'),
  xml('platform.trayIndex', 'platformInfo.tray_index'),
  xml('platform.hostId', 'platformInfo.host_id'),
  pynvml('numaNode', 'nvmlDeviceGetNumaNodeId(h)'),
  pynvml('numaAffinity', 'bits(nvmlDeviceGetMemoryAffinity(h, 64, NVML_AFFINITY_SCOPE_NODE))'),
  pynvml('cpuAffinity', 'ranges(bits(nvmlDeviceGetCpuAffinity(h, 64)))', { essence: (text) => text }),
];

const modes: readonly Mapped[] = [
  xml('computeMode', 'compute_mode', { words: { Exclusive_Thread: 'exclusiveThread' } }),
  xml('virtualizationMode', 'gpu_virtualization_mode.virtualization_mode'),
  xml('persistenceMode', 'persistence_mode', { pynvml: 'nvmlDeviceGetPersistenceMode(h)' }),
  xml('migMode.current', 'mig_mode.current_mig'),
  xml('migMode.pending', 'mig_mode.pending_mig'),
  pynvml('migDevices.length', 'migs(h)'),
  xml('fabric.state', 'fabric.state'),
  xml('fabric.cliqueId', 'fabric.cliqueId'),
];

const load: readonly Mapped[] = [
  xml('memory.totalBytes', 'fb_memory_usage.total', mebibyte),
  xml('memory.reservedBytes', 'fb_memory_usage.reserved', mebibyte),
  xml('memory.usedBytes', 'fb_memory_usage.used', mebibyte),
  xml('memory.freeBytes', 'fb_memory_usage.free', mebibyte),
  xml('bar1Memory.totalBytes', 'bar1_memory_usage.total', mebibyte),
  xml('bar1Memory.usedBytes', 'bar1_memory_usage.used', mebibyte),
  xml('utilization.gpuPercent', 'utilization.gpu_util', { pynvml: 'nvmlDeviceGetUtilizationRates(h).gpu' }),
  xml('utilization.memoryPercent', 'utilization.memory_util', {
    pynvml: 'nvmlDeviceGetUtilizationRates(h).memory',
  }),
  xml('encoderPercent', 'utilization.encoder_util', { pynvml: 'nvmlDeviceGetEncoderUtilization(h)[0]' }),
  xml('decoderPercent', 'utilization.decoder_util', { pynvml: 'nvmlDeviceGetDecoderUtilization(h)[0]' }),
  xml('jpegPercent', 'utilization.jpeg_util'),
  xml('ofaPercent', 'utilization.ofa_util'),
  xml('performanceState', 'performance_state', { pynvml: 'nvmlDeviceGetPerformanceState(h)' }),
  xml('graphicsClockMhz', 'clocks.graphics_clock', {
    pynvml: 'nvmlDeviceGetClockInfo(h, NVML_CLOCK_GRAPHICS)',
  }),
  xml('smClockMhz', 'clocks.sm_clock', { pynvml: 'nvmlDeviceGetClockInfo(h, NVML_CLOCK_SM)' }),
  xml('memoryClockMhz', 'clocks.mem_clock', { pynvml: 'nvmlDeviceGetClockInfo(h, NVML_CLOCK_MEM)' }),
  xml('videoClockMhz', 'clocks.video_clock', { pynvml: 'nvmlDeviceGetClockInfo(h, NVML_CLOCK_VIDEO)' }),
  xml('maxGraphicsClockMhz', 'max_clocks.graphics_clock'),
  xml('maxSmClockMhz', 'max_clocks.sm_clock'),
  xml('maxMemoryClockMhz', 'max_clocks.mem_clock'),
  xml('pcieGeneration', 'pci.pci_gpu_link_info.pcie_gen.current_link_gen'),
  xml('maxPcieGeneration', 'pci.pci_gpu_link_info.pcie_gen.max_link_gen'),
  xml('pcieWidth', 'pci.pci_gpu_link_info.link_widths.current_link_width'),
  xml('maxPcieWidth', 'pci.pci_gpu_link_info.link_widths.max_link_width'),
  pynvml('pcieTxBytes', 'field(h, 197)'),
  pynvml('pcieRxBytes', 'field(h, 198)'),
  pynvml('nvlinkTxBytes', 'field(h, 138, 0xffffffff)', { scale: 1024 }),
  pynvml('nvlinkRxBytes', 'field(h, 139, 0xffffffff)', { scale: 1024 }),
  pynvml('nvlinks.length', 'field(h, 91)'),
  pynvml('nvlinks.0.active', 'nvmlDeviceGetNvLinkState(h, 0)'),
];

const heat = (ours: string, path: string, threshold: string): Mapped =>
  xml(ours, path, {
    pynvml: `nvmlDeviceGetTemperatureThreshold(h, NVML_TEMPERATURE_THRESHOLD_${threshold})`,
  });

const power: readonly Mapped[] = [
  xml('temperatureC', 'temperature.gpu_temp', {
    pynvml: 'nvmlDeviceGetTemperature(h, NVML_TEMPERATURE_GPU)',
  }),
  xml('temperatureMarginC', 'temperature.gpu_temp_tlimit'),
  xml('memoryTemperatureC', 'temperature.memory_temp', { pynvml: 'field(h, 82)' }),
  heat('slowdownTemperatureC', 'temperature.gpu_temp_slow_threshold', 'SLOWDOWN'),
  heat('shutdownTemperatureC', 'temperature.gpu_temp_max_threshold', 'SHUTDOWN'),
  heat('maxMemoryTemperatureC', 'temperature.gpu_temp_max_mem_threshold', 'MEM_MAX'),
  heat('maxTemperatureC', 'temperature.gpu_temp_max_gpu_threshold', 'GPU_MAX'),
  xml('slowdownMarginC', 'temperature.gpu_temp_slow_tlimit_threshold'),
  xml('shutdownMarginC', 'temperature.gpu_temp_max_tlimit_threshold'),
  xml('fanPercents.0', 'fan_speed', { pynvml: 'nvmlDeviceGetFanSpeed_v2(h, 0)' }),
  { ours: 'powerWatts', query: 'power.draw', pynvml: 'nvmlDeviceGetPowerUsage(h) / 1000', ...watts },
  xml('instantPowerWatts', 'gpu_power_readings.instant_power_draw', {
    pynvml: 'field(h, 186) / 1000',
    ...watts,
  }),
  xml('averagePowerWatts', 'gpu_power_readings.average_power_draw', {
    pynvml: 'field(h, 185) / 1000',
    ...watts,
  }),
  xml('modulePowerWatts', 'module_power_readings.instant_power_draw', watts),
  xml('powerLimitWatts', 'gpu_power_readings.current_power_limit|power_readings.enforced_power_limit'),
  xml('defaultPowerLimitWatts', 'gpu_power_readings.default_power_limit|power_readings.default_power_limit'),
  xml('powerLimitRange.minWatts', 'gpu_power_readings.min_power_limit|power_readings.min_power_limit'),
  xml('powerLimitRange.maxWatts', 'gpu_power_readings.max_power_limit|power_readings.max_power_limit'),
  pynvml('energyJoules', 'nvmlDeviceGetTotalEnergyConsumption(h) / 1000'),
  xml('clocksEventReasons', 'clocks_event_reasons|clocks_throttle_reasons'),
];

const counters = 'clocks_event_reasons_counters';
const throttle: readonly Mapped[] = [
  pynvml('powerViolationSeconds', 'field(h, 74)', nanoseconds),
  pynvml('thermalViolationSeconds', 'field(h, 75)', nanoseconds),
  pynvml('syncBoostViolationSeconds', 'field(h, 76)', nanoseconds),
  pynvml('boardLimitViolationSeconds', 'field(h, 77)', nanoseconds),
  pynvml('lowUtilizationViolationSeconds', 'field(h, 78)', nanoseconds),
  pynvml('reliabilityViolationSeconds', 'field(h, 79)', nanoseconds),
  pynvml('appClocksViolationSeconds', 'field(h, 80)', nanoseconds),
  pynvml('baseClocksViolationSeconds', 'field(h, 81)', nanoseconds),
  xml('swThermalSlowdownSeconds', `${counters}.${counters}_sw_therm_slowdown`, microseconds),
  xml('hwThermalSlowdownSeconds', `${counters}.${counters}_hw_therm_slowdown`, microseconds),
  xml('hwPowerBrakeSlowdownSeconds', `${counters}.${counters}_hw_power_brake`, microseconds),
];

const errors: readonly Mapped[] = [
  xml('eccMode.current', 'ecc_mode.current_ecc'),
  xml('eccMode.pending', 'ecc_mode.pending_ecc'),
  { ours: 'eccCorrectedVolatile', query: 'ecc.errors.corrected.volatile.total' },
  { ours: 'eccUncorrectedVolatile', query: 'ecc.errors.uncorrected.volatile.total' },
  { ours: 'eccCorrectedAggregate', query: 'ecc.errors.corrected.aggregate.total' },
  { ours: 'eccUncorrectedAggregate', query: 'ecc.errors.uncorrected.aggregate.total' },
  xml('eccLocations.dram.correctedVolatile', 'ecc_errors.volatile.dram_correctable'),
  xml('eccLocations.dram.uncorrectedVolatile', 'ecc_errors.volatile.dram_uncorrectable'),
  xml('eccLocations.dram.correctedAggregate', 'ecc_errors.aggregate.dram_correctable'),
  xml('eccLocations.dram.uncorrectedAggregate', 'ecc_errors.aggregate.dram_uncorrectable'),
  xml('sramEcc.thresholdExceeded', 'ecc_errors.aggregate.sram_threshold_exceeded'),
  xml('sramEcc.correctedVolatile', 'ecc_errors.volatile.sram_correctable'),
  xml('sramEcc.uncorrectedParityVolatile', 'ecc_errors.volatile.sram_uncorrectable_parity'),
  xml('sramEcc.uncorrectedSecDedVolatile', 'ecc_errors.volatile.sram_uncorrectable_secded'),
  xml('sramEcc.correctedAggregate', 'ecc_errors.aggregate.sram_correctable'),
  xml('sramEcc.uncorrectedParityAggregate', 'ecc_errors.aggregate.sram_uncorrectable_parity'),
  xml('sramEcc.uncorrectedSecDedAggregate', 'ecc_errors.aggregate.sram_uncorrectable_secded'),
  ...['l2', 'sm', 'microcontroller', 'pcie', 'other'].map((place) =>
    xml(`sramEcc.${place}`, `ecc_errors.aggregate_uncorrectable_sram_sources.sram_${place}`),
  ),
  xml('remappedRows.correctable', 'remapped_rows.remapped_row_corr'),
  xml('remappedRows.uncorrectable', 'remapped_rows.remapped_row_unc'),
  xml('remappedRows.pending', 'remapped_rows.remapped_row_pending'),
  xml('remappedRows.failed', 'remapped_rows.remapped_row_failure'),
  ...['max', 'high', 'partial', 'low', 'none'].map((banks) =>
    xml(`rowRemapHistogram.${banks}`, `remapped_rows.row_remapper_histogram.row_remapper_histogram_${banks}`),
  ),
  xml('retiredPagesPending', 'retired_pages.pending_retirement'),
  xml('retiredPagesSingleBit', 'retired_pages.multiple_single_bit_retirement.retired_count'),
  xml('retiredPagesDoubleBit', 'retired_pages.double_bit_retirement.retired_count'),
  xml('repairPending.channel', 'ecc_errors.channel_repair_pending'),
  xml('repairPending.tpc', 'ecc_errors.tpc_repair_pending'),
  xml('unrepairableMemory', 'ecc_errors.unrepairable_memory'),
  xml('recoveryAction', 'gpu_recovery_action', {
    words: { Reset: 'gpuReset', Reboot: 'nodeReboot' },
  }),
  xml('pcieReplays', 'pci.replay_counter', { pynvml: 'nvmlDeviceGetPcieReplayCounter(h)' }),
  pynvml('pcieCorrectableErrors', 'field(h, 173)'),
  pynvml('pcieNonFatalErrors', 'field(h, 179)'),
  pynvml('pcieFatalErrors', 'field(h, 180)'),
];

/** In the order of the table. */
export const mapping: readonly Mapped[] = [...identity, ...modes, ...load, ...power, ...throttle, ...errors];
