interface Named {
  readonly index: number;
  readonly pciAddress: string | null;
}

/**
 * What to call each GPU of a node: `1`, or `1 at PCI 0000:2b:00.0` where that is the index of two: one has gone, and the driver
 * has counted the others anew.
 */
export function gpuNames(gpus: readonly Named[]): (gpu: Named) => string {
  return ({ index, pciAddress }) => {
    const isShared = gpus.filter((each) => each.index === index).length > 1;
    return isShared && pciAddress !== null ? `${index} at PCI ${pciAddress}` : String(index);
  };
}
