import type { Reading } from './reading.ts';

/** What a GPU is: none of it changes in a driver life. */
export interface IdentityReadings {
  /** Product name. Source: nvmlDeviceGetName. Oracle: nvidia-smi --query-gpu=name */
  readonly name: Reading<string>;
  /** Source: nvmlDeviceGetUUID. Oracle: nvidia-smi --query-gpu=uuid */
  readonly uuid: Reading<string>;
  /** Board serial; notSupported on consumer boards. Source: nvmlDeviceGetSerial. Oracle: --query-gpu=serial */
  readonly serial: Reading<string>;
  /** `0000:3b:00.0`: lower case, domain of at least 4 digits. Source: nvmlDeviceGetPciInfo_v3. Oracle: --query-gpu=pci.bus_id */
  readonly pciAddress: Reading<string>;
  /** Of /dev/nvidiaN; not always the index, and another after a reboot. Source: nvmlDeviceGetMinorNumber. Oracle: nvidia-smi -q, "Minor Number" */
  readonly minorNumber: Reading<number>;
  /** Product family. Source: nvmlDeviceGetBrand. Oracle: nvidia-smi -q, "Product Brand" */
  readonly brand: Reading<string>;
  /** `hopper`. Source: nvmlDeviceGetArchitecture. Oracle: nvidia-smi -q, "Product Architecture" */
  readonly architecture: Reading<string>;
  /** `9.0`. Source: nvmlDeviceGetCudaComputeCapability. Oracle: --query-gpu=compute_cap */
  readonly computeCapability: Reading<string>;
  /** Source: nvmlDeviceGetBoardPartNumber. Oracle: nvidia-smi -q, "Board Part Number" */
  readonly boardPartNumber: Reading<string>;
  /** Source: nvmlDeviceGetVbiosVersion. Oracle: --query-gpu=vbios_version */
  readonly vbiosVersion: Reading<string>;
  /** Source: nvmlDeviceGetInforomImageVersion. Oracle: --query-gpu=inforom.img */
  readonly inforomImageVersion: Reading<string>;
  /** Source: nvmlDeviceGetInforomVersion(OEM). Oracle: --query-gpu=inforom.oem */
  readonly inforomOemVersion: Reading<string>;
  /** Source: nvmlDeviceGetInforomVersion(ECC). Oracle: --query-gpu=inforom.ecc */
  readonly inforomEccVersion: Reading<string>;
  /** Source: nvmlDeviceGetInforomVersion(POWER). Oracle: --query-gpu=inforom.pwr */
  readonly inforomPowerVersion: Reading<string>;
  /** Whether its checksums are right; asked once in a driver life, for it reads the flash. Source: nvmlDeviceValidateInforom. Oracle: --query-gpu=inforom.checksum_validation */
  readonly inforomValid: Reading<boolean>;
  /** Source: nvmlDeviceGetGspFirmwareVersion. Oracle: nvidia-smi -q, "GSP Firmware Version" */
  readonly gspFirmwareVersion: Reading<string>;
  /** Slot of the board on its baseboard, where that has several. Source: nvmlDeviceGetModuleId. Oracle: --query-gpu=platform.module_id */
  readonly moduleId: Reading<number>;
  /** Where in a rack it is; Blackwell and newer; noData for a board that answers with zeros. Source: nvmlDeviceGetPlatformInfo. Oracle: nvidia-smi -q, "Platform Info" */
  readonly platform: Reading<PlatformInfo>;
  /** NUMA node of the GPU's own memory, where the host sees that as such (GH200, GB200). Source: nvmlDeviceGetNumaNodeId. Oracle: nvidia-smi topo -m, "GPU NUMA ID" */
  readonly numaNode: Reading<number>;
  /** NUMA nodes of the host that are nearest. Source: nvmlDeviceGetMemoryAffinity(NODE). Oracle: nvidia-smi topo -m, "NUMA Affinity" */
  readonly numaAffinity: Reading<readonly number[]>;
  /** The host's processors that are nearest, `0-31,64-95`. Source: nvmlDeviceGetCpuAffinity. Oracle: nvidia-smi topo -m, "CPU Affinity" */
  readonly cpuAffinity: Reading<string>;
}

export const identitySymbols: Readonly<Record<keyof IdentityReadings, string>> = {
  name: 'nvmlDeviceGetName',
  uuid: 'nvmlDeviceGetUUID',
  serial: 'nvmlDeviceGetSerial',
  pciAddress: 'nvmlDeviceGetPciInfo_v3',
  minorNumber: 'nvmlDeviceGetMinorNumber',
  brand: 'nvmlDeviceGetBrand',
  architecture: 'nvmlDeviceGetArchitecture',
  computeCapability: 'nvmlDeviceGetCudaComputeCapability',
  boardPartNumber: 'nvmlDeviceGetBoardPartNumber',
  vbiosVersion: 'nvmlDeviceGetVbiosVersion',
  inforomImageVersion: 'nvmlDeviceGetInforomImageVersion',
  inforomOemVersion: 'nvmlDeviceGetInforomVersion',
  inforomEccVersion: 'nvmlDeviceGetInforomVersion',
  inforomPowerVersion: 'nvmlDeviceGetInforomVersion',
  inforomValid: 'nvmlDeviceValidateInforom',
  gspFirmwareVersion: 'nvmlDeviceGetGspFirmwareVersion',
  moduleId: 'nvmlDeviceGetModuleId',
  platform: 'nvmlDeviceGetPlatformInfo',
  numaNode: 'nvmlDeviceGetNumaNodeId',
  numaAffinity: 'nvmlDeviceGetMemoryAffinity',
  cpuAffinity: 'nvmlDeviceGetCpuAffinity',
};

/** Numbers as the board tells them; what they count depends on the platform. */
export interface PlatformInfo {
  /** GUID of the InfiniBand port, as 32 hexadecimal digits. */
  readonly ibGuid: string;
  readonly chassisSerialNumber: string;
  readonly slotNumber: number;
  readonly trayIndex: number;
  readonly hostId: number;
  /** How it is connected to others. */
  readonly peerType: 'direct' | 'switch' | `unknown${number}`;
  readonly moduleId: number;
}
