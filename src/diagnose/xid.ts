import { type SxidRow, sxidActions, sxidRows } from './sxid-table.ts';
import type { Action } from './verdict.ts';
import { unusedXids, type XidRow, xidActions, xidRows } from './xid-table.ts';

export const severities = ['info', 'warning', 'unknown', 'critical', 'fatal'] as const;
export type Severity = (typeof severities)[number];

/** What an Xid or SXid means, and what to do about it. */
export interface Explained {
  readonly name: string;
  /** Null where the catalogue says no more than the name. */
  readonly meaning: string | null;
  readonly severity: Severity;
  readonly action: Action;
  /** NVIDIA's own words for the action; null where its catalogue has none. */
  readonly nvidiaAction: string | null;
  /** What it is about: its program alone, its GPU, more than one GPU, or the node. */
  readonly scope: XidRow[5];
}

const xids: ReadonlyMap<number, XidRow> = new Map(xidRows.map((row) => [row[0], row]));
const sxids: ReadonlyMap<number, SxidRow> = new Map(sxidRows.map((row) => [row[0], row]));
const unused: ReadonlySet<number> = new Set(unusedXids);

/** NVIDIA's words in ours. */
const actionFor: Readonly<Record<string, Action>> = {
  IGNORE: 'none',
  RESTART_APP: 'restartWorkload',
  RESET_GPU: 'resetGpu',
  RESTART_BM: 'rebootNode',
  RESTART_VM: 'rebootNode',
  RESTART_FM: 'runDiagnostics',
  CONTACT_SUPPORT: 'contactSupport',
  CHECK_MECHANICALS: 'runDiagnostics',
  UPDATE_SWFW: 'contactSupport',
  CHECK_UVM: 'resetGpu',
  WORKFLOW_XID_45: 'none',
  WORKFLOW_XID_48: 'resetGpu',
  WORKFLOW_NVLINK_ERR: 'resetGpu',
  RESET_FABRIC: 'rebootNode',
  CHECK_THERMALS: 'runDiagnostics',
  CHECK_FM_CONFIG: 'runDiagnostics',
  RUN_FIELDDIAG: 'contactSupport',
  CHECK_LINK_MECHANICAL_CONNECTIONS: 'runDiagnostics',
  INVESTIGATE_LINK_SI: 'runDiagnostics',
};

/** NVLink 5: one code for a unit, and the line says how bad it is. */
const nvlink5: ReadonlySet<number> = new Set([144, 145, 146, 147, 148, 149, 150]);
const recoveryActionChanged = 154;

/** The words of an Xid 154 line behind `to 0xN`. */
const recoveries: Readonly<Record<string, Action>> = {
  None: 'none',
  'GPU Reset Required': 'resetGpu',
  'Node Reboot Required': 'rebootNode',
  'Drain P2P': 'drain',
  'Drain and Reset': 'resetGpu',
  'Recover IMEX Domain': 'contactSupport',
};

/** @param message what the line says after the code; '' where only the driver's event is known */
export function explainXid(code: number, message: string): Explained {
  const row = xids.get(code);
  if (!row) return unknownXid(code);
  const [, name, , , , scope, , meaning] = row;
  return { name, meaning, scope, ...judged(row, message), nvidiaAction: nvidiaWords(row, message) };
}

function unknownXid(code: number): Explained {
  const meaning = unused.has(code)
    ? "In NVIDIA's catalogue as unused on the GPUs of today."
    : "Newer than this program, or none of NVIDIA's.";
  return {
    name: `Xid ${code}`,
    meaning,
    severity: 'unknown',
    action: 'contactSupport',
    nvidiaAction: null,
    scope: 'unknown',
  };
}

function judged(
  [code, , bucket, , severity]: XidRow,
  message: string,
): Pick<Explained, 'severity' | 'action'> {
  if (code === recoveryActionChanged) return recovery(message);
  if (nvlink5.has(code)) return nvlink5Error(message);
  return {
    severity: severity === 'depends' ? 'unknown' : severity,
    action: actionFor[bucket ?? ''] ?? 'runDiagnostics',
  };
}

/** Where the line itself says what to do, that is told and not that it says so. */
function nvidiaWords([code, , bucket]: XidRow, message: string): string | null {
  if (code === recoveryActionChanged && recoveries[recoveryIn(message)])
    return `The driver's recovery action is now: ${recoveryIn(message)}.`;
  if (!nvlink5.has(code)) return wordsOf(xidActions, bucket);
  const { severity } = nvlink5Error(message);
  return wordsOf(xidActions, { critical: 'RESET_GPU', warning: 'IGNORE' }[severity as string] ?? bucket);
}

function recoveryIn(message: string): string {
  const [, to = ''] = /\bto 0x\w{1,8} \(([^)]{1,40})\)/.exec(message) ?? [];
  return to;
}

function recovery(message: string): Pick<Explained, 'severity' | 'action'> {
  const action = recoveries[recoveryIn(message)];
  if (action === undefined) return { severity: 'unknown', action: 'runDiagnostics' };
  return { severity: action === 'none' ? 'info' : 'critical', action };
}

function nvlink5Error(message: string): Pick<Explained, 'severity' | 'action'> {
  if (/\bFatal\b/.test(message)) return { severity: 'critical', action: 'resetGpu' };
  if (/\bNon-?fatal\b/i.test(message)) return { severity: 'warning', action: 'none' };
  return { severity: 'unknown', action: 'runDiagnostics' };
}

const resets: ReadonlySet<string | null> = new Set(['RESET_GPU', 'RESET_FABRIC']);

/**
 * What asks for a reset is critical, whatever it is called: some that are never fatal stop all traffic until then.
 *
 * @param fatal as the line says it of itself, which counts before the table; undefined where it does not say
 */
export function explainSxid(code: number, fatal: boolean | undefined): Explained {
  const [, name = `SXid ${code}`, impact = null, listed = null] = sxids.get(code) ?? [];
  const spared = fatal === false && impact !== 'non-fatal' && resets.has(listed); // the table speaks of when it is fatal
  const bucket = spared ? null : listed;
  const bad = (fatal ?? impact === 'always-fatal') || resets.has(bucket);
  return {
    name,
    meaning: impact && `Of an NVSwitch; ${impact}.`,
    severity: bad ? 'critical' : 'warning',
    action: actionFor[bucket ?? ''] ?? (bad ? 'rebootNode' : 'none'),
    nvidiaAction: wordsOf(sxidActions, bucket),
    scope: 'fabric',
  };
}

function wordsOf(words: Readonly<Record<string, string>>, bucket: string | null): string | null {
  return bucket && (words[bucket] ?? bucket);
}
