import { randomBytes } from 'node:crypto';

import { z } from 'zod';

export const keptEvent = z.object({
  number: z.int().positive(),
  id: z.string(),
  kind: z.enum(['xid', 'sxid', 'nvrm', 'fallenOffBus', 'aer', 'oomKill']),
  bootId: z.string().nullable(),
  atMs: z.number().nullable(),
  /** Was not kept at first. */
  monotonicMs: z.number().nullable().default(null),
  sources: z.array(z.enum(['kernelLog', 'nvml'])).readonly(),
  origin: z.enum(['kernel', 'userSpace']),
  pciSlot: z.string().nullable(),
  code: z.number().nullable(),
  message: z.string(),
  details: z.object({
    pid: z.number().exactOptional(),
    processName: z.string().exactOptional(),
    causedByXid: z.number().exactOptional(),
    gpuInstanceId: z.number().exactOptional(),
    computeInstanceId: z.number().exactOptional(),
    link: z.number().exactOptional(),
    fatal: z.boolean().exactOptional(),
    corrected: z.boolean().exactOptional(),
  }),
});

/** An event book as it is kept on disk. Another version, or what is damaged, is no book. */
export const keptEvents = z.object({
  version: z.literal(1),
  numbering: z.string().regex(/^[\da-f]{8}$/),
  bootId: z.string().nullable(),
  next: z.int().positive(),
  readBefore: z.boolean(),
  seen: z.array(z.tuple([z.string(), z.int().positive()])).readonly(),
  events: z.array(keptEvent).readonly(),
  /** These were not kept at first. */
  readUpTo: z.number().nullable().exactOptional(),
  lostUpTo: z.int().min(0).exactOptional(),
  lostBeforeMs: z.number().nullable().exactOptional(),
  keptAtMs: z.number().exactOptional(),
  printedZeroMs: z.number().exactOptional(),
});
export type KeptEvents = z.output<typeof keptEvents>;

export function newBook(): KeptEvents {
  const numbering = randomBytes(4).toString('hex');
  return { version: 1, numbering, bootId: null, next: 1, readBefore: false, seen: [], events: [] };
}
