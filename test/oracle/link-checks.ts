import { type Check, drift, pciAddress, words } from './check.ts';
import { each, inForm } from './pynvml-check.ts';

/** By our names: what NVML calls it. */
const errorFields = {
  replays: 'ERROR_DL_REPLAY',
  recoveries: 'ERROR_DL_RECOVERY',
  crc: 'ERROR_DL_CRC',
  malformedPackets: 'COUNT_MALFORMED_PACKET_ERRORS',
  bufferOverruns: 'COUNT_BUFFER_OVERRUN_ERRORS',
  received: 'COUNT_RCV_ERRORS',
  receivedRemote: 'COUNT_RCV_REMOTE_ERRORS',
  receivedGeneral: 'COUNT_RCV_GENERAL_ERRORS',
  localLinkIntegrity: 'COUNT_LOCAL_LINK_INTEGRITY_ERRORS',
  sentDiscards: 'COUNT_XMIT_DISCARDS',
  linkRecoveriesSuccessful: 'COUNT_LINK_RECOVERY_SUCCESSFUL_EVENTS',
  linkRecoveriesFailed: 'COUNT_LINK_RECOVERY_FAILED_EVENTS',
  effective: 'COUNT_EFFECTIVE_ERRORS',
  effectiveBer: 'COUNT_EFFECTIVE_BER',
  symbol: 'COUNT_SYMBOL_ERRORS',
  symbolBer: 'COUNT_SYMBOL_BER',
};
/** Of NVLink up to 3. */
const olderErrors = {
  replays: 'DL_REPLAY',
  recoveries: 'DL_RECOVERY',
  crcFlit: 'DL_CRC_FLIT',
  crcData: 'DL_CRC_DATA',
  eccData: 'DL_ECC_DATA',
};

function constants(prefix: string, names: Readonly<Record<string, string>>): string {
  return `{${Object.entries(names).map(([ours, theirs]) => `'${ours}': ${prefix}${theirs}`)}}`;
}

const errors = `link_errors(gpu, link, ${constants('NVML_FI_DEV_NVLINK_', errorFields)}, ${constants('NVML_NVLINK_ERROR_', olderErrors)})`;
const remoteWords = words({ GPU: 'gpu', IBMNPU: 'npu', SWITCH: 'switch', UNKNOWN: 'unknown255' });
const field = (name: string) =>
  `links(gpu, lambda link: attempt(field, gpu, NVML_FI_DEV_NVLINK_GET_${name}, link))`;

/** Of each NVLink. */
export const linkChecks: readonly Check[] = [
  each('active', 'links(gpu, lambda link: attempt(lambda: nvmlDeviceGetNvLinkState(gpu, link) == 1))'),
  each('version', field('VERSION')),
  each('speedMegabytesPerSecond', field('SPEED')),
  inForm(
    remoteWords,
    each(
      'remoteType',
      "up_links(gpu, lambda link: named('NVML_NVLINK_DEVICE_TYPE_', nvmlDeviceGetNvLinkRemoteDeviceType(gpu, link)))",
    ),
  ),
  inForm(
    pciAddress,
    each('remotePciAddress', 'up_links(gpu, lambda link: nvmlDeviceGetNvLinkRemotePciInfo(gpu, link).busId)'),
  ),
  each('errors', `links(gpu, lambda link: ${errors})`, drift.none),
];
