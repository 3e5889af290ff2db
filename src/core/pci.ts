/** `0000:3b:00`: what a log line and a GPU's address have in common, whatever the length of the domain and the function. */
export function pciSlot(address: string): string {
  const [domain = '', bus = '', device = ''] = address.toLowerCase().split(/[:.]/);
  return `${domain.replace(/^0+(?=.{4})/, '')}:${bus}:${device}`;
}

/** A GPU as the kernel sees it, whether or not a driver of NVIDIA's has it. */
export interface PciGpu {
  /** `0000:3b:00.0`. Oracle: lspci -D -d 10de: */
  readonly pciAddress: string;
  /** Four hexadecimal digits. */
  readonly deviceId: string;
  /** `nvidia`, `vfio-pci`, `nouveau`; null: none is bound. Oracle: lspci -k */
  readonly kernelDriver: string | null;
}
