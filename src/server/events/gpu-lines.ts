import type { EventDetails, EventKind } from '../../core/event.ts';
import { pciSlot } from '../../core/pci.ts';
import { plainText } from '../../core/words.ts';
import type { KernelLine } from './kernel-line.ts';

/** What a line tells of, before it has a number. */
export interface LineEvent {
  readonly kind: EventKind;
  readonly origin: KernelLine['origin'];
  readonly printed: string | null;
  readonly pciSlot: string | null;
  readonly code: number | null;
  readonly message: string;
  readonly details: EventDetails;
}

/** Longer lines tell no more: the kernel itself cuts at about a thousand. */
const longestMessage = 1000;

/**
 * Finds what lines tell of, oldest first. A line about such a line, or one that merely has the word Xid in it, is nothing:
 * the driver begins its own with its name.
 */
export function eventsIn(lines: readonly KernelLine[]): LineEvent[] {
  /** The GPU that a report of several lines is about. */
  let subject: Subject | undefined;
  const events: LineEvent[] = [];
  for (const line of lines) {
    const text = line.text.slice(0, 4 * longestMessage);
    subject = subjectOf(text, line) ?? subject;
    const found = reported(text, line, subject) ?? recognised(text, line);
    if (!found) continue;
    const message = plainText(text.replace(/^NVRM: /, ''), longestMessage);
    const event = { origin: line.origin, printed: line.printed, message, ...found };
    const before = events.at(-1);
    if (before && goesOn(before, event)) events[events.length - 1] = joined(before, event);
    else events.push(event);
  }
  return events;
}

/** What the driver says in several lines is one message: they are printed at one time, and the first names the GPU. */
function goesOn(before: LineEvent, { kind, origin, printed, pciSlot }: LineEvent): boolean {
  return (
    kind === 'nvrm' &&
    before.kind === kind &&
    before.origin === origin &&
    before.printed === printed &&
    printed !== null &&
    pciSlot === null
  );
}

function joined(before: LineEvent, { message }: LineEvent): LineEvent {
  if (before.message.length >= longestMessage) return before;
  return { ...before, message: plainText(`${before.message} ${message}`, longestMessage) };
}

interface Subject {
  readonly slot: string;
  readonly printed: string | null;
}

function subjectOf(text: string, { printed }: KernelLine): Subject | undefined {
  const [, address] = /^NVRM: The NVIDIA GPU ([\da-f:.]{10,20})/i.exec(text) ?? [];
  return address === undefined ? undefined : { slot: pciSlot(address), printed };
}

/** The last line of that report: the lines of one report are printed at one time. */
function reported(text: string, { printed }: KernelLine, subject: Subject | undefined): Found | null {
  if (!/^NVRM: fallen off the bus and is not responding/.test(text)) return null;
  const slot = subject && subject.printed === printed ? subject.slot : null;
  return { ...nothing, kind: 'fallenOffBus', pciSlot: slot };
}

type Found = Pick<LineEvent, 'kind' | 'pciSlot' | 'code' | 'details'>;
const nothing = { pciSlot: null, code: null, details: {} } as const;

function recognised(text: string, line: KernelLine): Found | null {
  if (text.startsWith('NVRM: ')) return xid(text) ?? offBus(text) ?? complaint(text, line);
  return sxid(text) ?? busError(text) ?? killed(text);
}

/** Address with `PCI:` or without, with function or without; under MIG with the instances. Source: kernel_rc.c of the driver. */
const xidLine =
  /^NVRM: Xid \((?:PCI:)?([\da-f]{4,8}:[\da-f]{2}:[\da-f]{2})(?:\.[\da-f])?(?: GPU-I:(\d{1,4}))?(?: GPU-CI:(\d{1,4}))?\): (\d{1,5})\b(.*)$/i;

function xid(text: string): Found | null {
  const [, address, gpuInstance, computeInstance, code, rest = ''] = xidLine.exec(text) ?? [];
  if (address === undefined) return null;
  const [, pid] = /^, pid=(\d{1,10})\b/.exec(rest) ?? [];
  const [, processName] = /^, pid=[^,]{1,20}, name=(.{1,64}?)(?:, |,?$)/.exec(rest) ?? [];
  const [, cause] = /\bcaused by previous Xid (\d{1,5})\b/.exec(rest) ?? [];
  return {
    kind: 'xid',
    pciSlot: pciSlot(address),
    code: Number(code),
    details: {
      ...(pid !== undefined && { pid: Number(pid) }),
      ...(processName !== undefined &&
        processName !== '<unknown>' && { processName: plainText(processName, 64) }),
      ...(cause !== undefined && { causedByXid: Number(cause) }),
      ...(gpuInstance !== undefined && { gpuInstanceId: Number(gpuInstance) }),
      ...(computeInstance !== undefined && { computeInstanceId: Number(computeInstance) }),
    },
  };
}

function offBus(text: string): Found | null {
  const [line, address] =
    /^NVRM: GPU(?: (?:at )?(?:PCI:)?([\da-f:.]{10,20}?):?)?(?: GPU)? has fallen off the bus/i.exec(text) ??
    [];
  if (line === undefined) return null;
  return { ...nothing, kind: 'fallenOffBus', pciSlot: address === undefined ? null : pciSlot(address) };
}

/** What the driver says as a matter of course, or beside a report of its own. */
const ordinary =
  /^NVRM: (?:loading |GPU at PCI:|GPU Board Serial|The NVIDIA GPU|\(PCI ID|installed in this(?! system is not))/;
/** Printed beside what tells that a GPU is lost. */
const besideLoss =
  /^NVRM: (?:A GPU crash dump has been created|nvidia-bug-report\.sh as root|the NVIDIA kernel module is unloaded|GPU \S{10,20} GPU serial number is )/;
const warning = 4;

function complaint(text: string, { level }: KernelLine): Found | null {
  if (level > warning || ordinary.test(text) || besideLoss.test(text)) return null;
  const [, address] =
    /\b([\da-f]{4,8}:[\da-f]{2}:[\da-f]{2})(?:\.[\da-f])?\b/i.exec(text.slice(0, 200)) ?? [];
  return { ...nothing, kind: 'nvrm', pciSlot: address === undefined ? null : pciSlot(address) };
}

/** Source: the log macros of nvswitch in open-gpu-kernel-modules. */
const sxidLine =
  /^nvidia-nvswitch\d{1,3}: SXid \(PCI:([\da-f]{4,8}:[\da-f]{2}:[\da-f]{2})(?:\.[\da-f])?\): (\d{1,6})\b(.*)$/i;
/** The driver prints two lines more for each, which tell of the switch's insides. */
const sxidMore = /^, (?:Severity \d|Data \{)/;

function sxid(text: string): Found | null {
  const [, address, code, rest = ''] = sxidLine.exec(text) ?? [];
  if (address === undefined || sxidMore.test(rest)) return null;
  const [, severity] = /^, (Fatal|Non-fatal)\b/i.exec(rest) ?? [];
  const [, link] = /\bLink (\d{1,3})\b/.exec(rest) ?? [];
  return {
    kind: 'sxid',
    pciSlot: pciSlot(address),
    code: Number(code),
    details: {
      ...(severity !== undefined && { fatal: severity.toLowerCase() === 'fatal' }),
      ...(link !== undefined && { link: Number(link) }),
    },
  };
}

/** One line of several that the kernel prints for an error: the one that says how bad it is. Source: drivers/pci/pcie/aer.c */
const busErrorLine =
  /^\S{1,40} ([\da-f]{4,8}:[\da-f]{2}:[\da-f]{2})\.[\da-f]: (?:AER: )?PCIe Bus Error: severity=([^,]{1,60})/i;

/** Where the firmware gets the errors first the kernel prints no such line; this one it prints of none that was corrected. */
const firmwareErrorLine =
  /^\S{1,40} ([\da-f]{4,8}:[\da-f]{2}:[\da-f]{2})\.[\da-f]: (?:AER: )?aer_uncor_severity: 0x/i;

function busError(text: string): Found | null {
  const [, told] = firmwareErrorLine.exec(text) ?? [];
  if (told !== undefined)
    return { ...nothing, kind: 'aer', pciSlot: pciSlot(told), details: { fatal: false, corrected: false } };
  const [, address, severity] = busErrorLine.exec(text) ?? [];
  if (address === undefined || severity === undefined) return null;
  const fatal = /\bFatal\b/.test(severity) && !/Non-?Fatal/i.test(severity);
  const corrected = /^Correct/i.test(severity);
  return { ...nothing, kind: 'aer', pciSlot: pciSlot(address), details: { fatal, corrected } };
}

/** Up to Linux 5.0 the reason stood in a line before. Source: mm/oom_kill.c */
const killedLine =
  /^(?:(?:Memory cgroup out of memory|Out of memory)\b.{0,40}: |(?=Killed process .{1,120} total-vm:))Killed process (\d{1,10}) \((.{1,64}?)\)(?: |,|$)/;
/** The name may have brackets. */
const bracketedName = /\bKilled process \d{1,10} \((.{1,64})\),?(?: UID \d{1,10},)? total-vm/;

function killed(text: string): Found | null {
  const [, pid, processName] = killedLine.exec(text) ?? [];
  if (pid === undefined || processName === undefined) return null;
  const [, whole = processName] = bracketedName.exec(text) ?? [];
  return { ...nothing, kind: 'oomKill', details: { pid: Number(pid), processName: plainText(whole, 64) } };
}
