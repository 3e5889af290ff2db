/**
 * Xids after which a GPU cannot be trusted until it is reset or its node rebooted: those whose action in NVIDIA's Xid
 * catalogue is a reset or restart of GPU, node or VM, or ends in one (48, 74, 95). Whatever ends one program only (13, 31,
 * 43, 45 …) is not among them.
 */
const always: ReadonlySet<number> = new Set([
  46, 48, 62, 64, 74, 79, 95, 109, 110, 119, 120, 136, 140, 143, 151, 155, 156, 158,
]);

/** NVLink 5: one code for a unit, and the line says how bad it is. */
const nvlink5: ReadonlySet<number> = new Set([144, 145, 146, 147, 148, 149, 150]);

/** The driver's own verdict, which may also be that all is well again. */
const recoveryActionChanged = 154;

/** @param message what the line says after the code */
export function isFatalXid(xid: number, message: string): boolean {
  if (xid === recoveryActionChanged)
    return /\bto 0x\w{1,8} \((GPU Reset Required|Node Reboot Required|Drain and Reset)\)/.test(message);
  if (nvlink5.has(xid)) return /\bFatal\b/.test(message);
  return always.has(xid);
}
