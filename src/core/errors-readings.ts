import type { Mode } from './mode-readings.ts';
import type { Reading } from './reading.ts';

/** What has gone wrong with a GPU, and what waits for a reset. */
export interface ErrorReadings {
  /** Source: nvmlDeviceGetEccMode. Oracle: --query-gpu=ecc.mode.current,ecc.mode.pending */
  readonly eccMode: Reading<Mode>;
  /** Since the driver was loaded. Source: nvmlDeviceGetTotalEccErrors(CORRECTED, VOLATILE). Oracle: --query-gpu=ecc.errors.corrected.volatile.total */
  readonly eccCorrectedVolatile: Reading<number>;
  /** Since the driver was loaded. Source: nvmlDeviceGetTotalEccErrors(UNCORRECTED, VOLATILE). Oracle: --query-gpu=ecc.errors.uncorrected.volatile.total */
  readonly eccUncorrectedVolatile: Reading<number>;
  /** Of the board's life. Source: nvmlDeviceGetTotalEccErrors(CORRECTED, AGGREGATE). Oracle: --query-gpu=ecc.errors.corrected.aggregate.total */
  readonly eccCorrectedAggregate: Reading<number>;
  /** Of the board's life. Source: nvmlDeviceGetTotalEccErrors(UNCORRECTED, AGGREGATE). Oracle: --query-gpu=ecc.errors.uncorrected.aggregate.total */
  readonly eccUncorrectedAggregate: Reading<number>;
  /** Where ECC errors were met; places that the board does not count are left out. Source: nvmlDeviceGetMemoryErrorCounter. Oracle: nvidia-smi -q -d ECC */
  readonly eccLocations: Reading<readonly EccLocation[]>;
  /** Of the caches and other SRAM; `thresholdExceeded` is NVIDIA's criterion for a replacement. Source: nvmlDeviceGetSramEccErrorStatus. Oracle: nvidia-smi -q -d ECC, "SRAM Threshold Exceeded" */
  readonly sramEcc: Reading<SramEcc>;
  /** Ampere and newer. Source: nvmlDeviceGetRemappedRows. Oracle: --query-remapped-rows=… */
  readonly remappedRows: Reading<RemappedRows>;
  /** How many banks have how many spare rows left. Source: nvmlDeviceGetRowRemapperHistogram. Oracle: nvidia-smi -q -d ROW_REMAPPER, "Bank Remap Availability Histogram" */
  readonly rowRemapHistogram: Reading<RowRemapHistogram>;
  /** Before Ampere. Source: nvmlDeviceGetRetiredPagesPendingStatus. Oracle: --query-gpu=retired_pages.pending */
  readonly retiredPagesPending: Reading<boolean>;
  /** Before Ampere. Source: nvmlDeviceGetFieldValues, NVML_FI_DEV_RETIRED_SBE (29). Oracle: --query-gpu=retired_pages.single_bit_ecc.count */
  readonly retiredPagesSingleBit: Reading<number>;
  /** Before Ampere. Source: nvmlDeviceGetFieldValues, NVML_FI_DEV_RETIRED_DBE (30). Oracle: --query-gpu=retired_pages.double_bit.count */
  readonly retiredPagesDoubleBit: Reading<number>;
  /** Repairs that the next reset will make. Source: nvmlDeviceGetRepairStatus. Oracle: nvidia-smi -q, "Channel Repair Pending", "TPC Repair Pending" */
  readonly repairPending: Reading<RepairPending>;
  /** Whether it has memory that cannot be repaired. Source: nvmlDeviceGetUnrepairableMemoryFlag_v1. Oracle: nvidia-smi -q, "Unrepairable Memory" */
  readonly unrepairableMemory: Reading<boolean>;
  /** The driver's own verdict. Source: nvmlDeviceGetFieldValues, NVML_FI_DEV_GET_GPU_RECOVERY_ACTION (230). Oracle: nvidia-smi -q, "GPU Recovery Action" */
  readonly recoveryAction: Reading<RecoveryAction>;
  /** Packets that the PCIe link had to send again, since the GPU was reset. Source: nvmlDeviceGetFieldValues, NVML_FI_DEV_PCIE_REPLAY_COUNTER (94). Oracle: nvidia-smi -q, "Replays Since Reset" */
  readonly pcieReplays: Reading<number>;
  /** Since the GPU was reset; of the link, corrected by sending again. Source: nvmlDeviceGetFieldValues, NVML_FI_DEV_PCIE_COUNT_CORRECTABLE_ERRORS (173). Oracle: none of nvidia-smi; pynvml nvmlDeviceGetFieldValues(gpu, [173]) */
  readonly pcieCorrectableErrors: Reading<number>;
  /** Source: nvmlDeviceGetFieldValues, NVML_FI_DEV_PCIE_COUNT_NON_FATAL_ERROR (179). Oracle: none of nvidia-smi; pynvml nvmlDeviceGetFieldValues(gpu, [179]) */
  readonly pcieNonFatalErrors: Reading<number>;
  /** Source: nvmlDeviceGetFieldValues, NVML_FI_DEV_PCIE_COUNT_FATAL_ERROR (180). Oracle: none of nvidia-smi; pynvml nvmlDeviceGetFieldValues(gpu, [180]) */
  readonly pcieFatalErrors: Reading<number>;
}

export const errorSymbols: Readonly<Record<keyof ErrorReadings, string>> = {
  eccMode: 'nvmlDeviceGetEccMode',
  eccCorrectedVolatile: 'nvmlDeviceGetTotalEccErrors',
  eccUncorrectedVolatile: 'nvmlDeviceGetTotalEccErrors',
  eccCorrectedAggregate: 'nvmlDeviceGetTotalEccErrors',
  eccUncorrectedAggregate: 'nvmlDeviceGetTotalEccErrors',
  eccLocations: 'nvmlDeviceGetMemoryErrorCounter',
  sramEcc: 'nvmlDeviceGetSramEccErrorStatus',
  remappedRows: 'nvmlDeviceGetRemappedRows',
  rowRemapHistogram: 'nvmlDeviceGetRowRemapperHistogram',
  retiredPagesPending: 'nvmlDeviceGetRetiredPagesPendingStatus',
  retiredPagesSingleBit: 'nvmlDeviceGetFieldValues',
  retiredPagesDoubleBit: 'nvmlDeviceGetFieldValues',
  repairPending: 'nvmlDeviceGetRepairStatus',
  unrepairableMemory: 'nvmlDeviceGetUnrepairableMemoryFlag_v1',
  recoveryAction: 'nvmlDeviceGetFieldValues',
  pcieReplays: 'nvmlDeviceGetFieldValues',
  pcieCorrectableErrors: 'nvmlDeviceGetFieldValues',
  pcieNonFatalErrors: 'nvmlDeviceGetFieldValues',
  pcieFatalErrors: 'nvmlDeviceGetFieldValues',
};

export const eccLocationNames = [
  'l1Cache',
  'l2Cache',
  'dram',
  'registerFile',
  'textureMemory',
  'textureShm',
  'cbu',
  'sram',
] as const;

/** Null: not counted there. */
export interface EccLocation {
  readonly location: (typeof eccLocationNames)[number];
  readonly correctedVolatile: number | null;
  readonly uncorrectedVolatile: number | null;
  readonly correctedAggregate: number | null;
  readonly uncorrectedAggregate: number | null;
}

export interface SramEcc {
  readonly thresholdExceeded: boolean;
  readonly correctedVolatile: number;
  readonly uncorrectedParityVolatile: number;
  readonly uncorrectedSecDedVolatile: number;
  readonly correctedAggregate: number;
  readonly uncorrectedParityAggregate: number;
  readonly uncorrectedSecDedAggregate: number;
  /** Of the aggregate uncorrected ones, by the place where they were met. */
  readonly l2: number;
  readonly sm: number;
  readonly microcontroller: number;
  readonly pcie: number;
  readonly other: number;
}

export interface RemappedRows {
  readonly correctable: number;
  readonly uncorrectable: number;
  /** A remap waits for a reset. */
  readonly pending: boolean;
  /** A row could not be remapped. */
  readonly failed: boolean;
}

/** Numbers of memory banks; `none` have no spare row left. */
export interface RowRemapHistogram {
  readonly max: number;
  readonly high: number;
  readonly partial: number;
  readonly low: number;
  readonly none: number;
}

export interface RepairPending {
  readonly channel: boolean;
  readonly tpc: boolean;
}

/** NVML_GPU_RECOVERY_ACTION_* of nvml.h, by value. */
export const recoveryActions = [
  'none',
  'gpuReset',
  'nodeReboot',
  'drainP2P',
  'drainAndReset',
  'recoverImexDomain',
] as const;

export type RecoveryAction = (typeof recoveryActions)[number] | `unknown${number}`;
