import { z } from 'zod';

import type { GpuEvent } from '../core/event.ts';
import { pciSlot } from '../core/pci.ts';
import { orNull } from '../core/reading.ts';
import type { GpuState } from '../core/snapshot.ts';
import { type Explained, explainSxid, explainXid, severities } from '../diagnose/xid.ts';

/** An event with what it means. Severity and action of what a program wrote into the log are none: it proves nothing. */
export const eventRow = z.object({
  number: z.int(),
  id: z.string(),
  kind: z.string().describe('xid, sxid, fallenOffBus, nvrm, aer or oomKill'),
  code: z.number().nullable(),
  name: z.string(),
  meaning: z.string().nullable(),
  severity: z.enum(severities).catch('unknown'), // a newer agent may know more words
  action: z.string(),
  nvidiaAction: z.string().nullable(),
  bootId: z.string().nullable(),
  atMs: z.number().nullable().describe('Unix time'),
  sources: z.array(z.string()),
  origin: z.string().describe('kernel, or userSpace: a program wrote it, and it proves nothing'),
  pciSlot: z.string().nullable(),
  gpuIndex: z.number().nullable(),
  gpuUuid: z.string().nullable(),
  message: z.string(),
  details: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])),
});
export type EventRow = z.output<typeof eventRow>;

export function eventRowOf(event: GpuEvent, gpus: readonly GpuState[]): EventRow {
  const { name, meaning, severity, action, nvidiaAction } = explained(event);
  const proves = event.origin === 'kernel';
  const gpu = event.pciSlot === null ? undefined : gpus.find((each) => slotOf(each) === event.pciSlot);
  return {
    ...event,
    name,
    meaning,
    severity: proves ? severity : 'info',
    action: proves ? action : 'none',
    nvidiaAction,
    sources: [...event.sources],
    gpuIndex: gpu?.index ?? null,
    gpuUuid: gpu ? orNull(gpu.readings.uuid) : null,
    details: { ...event.details },
  };
}

export function slotOf({ readings }: GpuState): string | null {
  const address = orNull(readings.pciAddress);
  return address === null ? null : pciSlot(address);
}

type Told = Omit<Explained, 'scope'>;

const others: Readonly<Record<Exclude<GpuEvent['kind'], 'xid' | 'sxid' | 'aer'>, Told>> = {
  fallenOffBus: {
    name: 'GPU has fallen off the bus',
    meaning: 'The driver cannot reach it any more: power, heat, seating or PCIe.',
    severity: 'fatal',
    action: 'rebootNode',
    nvidiaAction: null,
  },
  nvrm: {
    name: 'driver message',
    meaning: null,
    severity: 'warning',
    action: 'none',
    nvidiaAction: null,
  },
  oomKill: {
    name: 'killed for want of memory of the host',
    meaning:
      "The kernel's OOM killer ended a process: the host's memory or its container's limit, not the GPU's.",
    severity: 'warning',
    action: 'restartWorkload',
    nvidiaAction: null,
  },
};

function explained({ kind, code, message, details }: GpuEvent): Told {
  if (kind === 'xid') return explainXid(code ?? 0, message);
  if (kind === 'sxid') return explainSxid(code ?? 0, details.fatal);
  return kind === 'aer' ? busError(details) : others[kind];
}

/** Whether it was corrected is not told of those that an older version kept. */
function busError({ fatal, corrected }: GpuEvent['details']): Told {
  const told = { name: 'PCIe bus error', meaning: null, nvidiaAction: null } as const;
  if (fatal) return { ...told, name: `${told.name}, fatal`, severity: 'critical', action: 'rebootNode' };
  if (corrected !== false) return { ...told, severity: 'info', action: 'none' };
  return {
    ...told,
    name: `${told.name}, uncorrected`,
    meaning: 'A transfer was lost; the link still works.',
    severity: 'warning',
    action: 'runDiagnostics',
  };
}
