/** As the comparison has them: what our tools say of the processes of a GPU, of its ways to others, and of its units. */
export const inquiries = {
  processes: { '4001 compute+graphics': 2 ** 31, '4002 compute': null },
  peers: {
    way: { '0000:2b:00.0': 'NV18' },
    commonAncestor: { '0000:2b:00.0': 'SYS' },
    read: { '0000:2b:00.0': 'ok' },
    write: { '0000:2b:00.0': 'chipsetNotSupported' },
    nvlink: { '0000:2b:00.0': 'iohTopologyNotSupported' },
    atomics: { '0000:2b:00.0': 'disabledByRegkey' },
    pci: { '0000:2b:00.0': 'notSupported' },
  },
  gpm: {
    graphicsPercent: 90.5,
    smPercent: 84,
    smOccupancyPercent: 31.5,
    integerPercent: 1,
    tensorPercent: 47,
    tensorFp64Percent: 2,
    tensorFp16Percent: 3,
    tensorIntegerPercent: 4,
    dramBandwidthPercent: 42,
    fp64Percent: 5,
    fp32Percent: 6,
    fp16Percent: 7,
  },
};
