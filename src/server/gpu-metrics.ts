import { Counter, Gauge, type Registry } from 'prom-client';
import { pciSlot } from '../core/pci.ts';
import { orNull } from '../core/reading.ts';
import type { GpuState, Snapshot } from '../core/snapshot.ts';
import { type Verdict, verdicts } from '../diagnose/verdict.ts';
import { type DcgmMetric, dcgmLabels, dcgmMetrics, dcgmSamples, pciBusId } from './dcgm-metrics.ts';
import type { XidBook } from './events/xid-book.ts';
import type { HolderOf } from './pod-holders.ts';

/** What /metrics tells of GPUs besides our verdicts, as the flags say. */
export interface GpuSources {
  readonly node: string;
  /** Also their readings, under dcgm-exporter's names. */
  readonly readings: boolean;
  /** Undefined while the kernel log cannot be read. */
  readonly xids?: () => XidBook | undefined;
  /** Undefined while the kubelet does not tell. */
  readonly holders?: () => HolderOf | undefined;
}

/** @param given the verdict on each GPU that is known */
export function registerVerdicts(registers: Registry[], given: () => readonly Verdict[]): void {
  new Gauge({
    name: 'k8s_gpu_mcp_gpus',
    help: 'GPUs that this agent has seen, by its verdict on them.',
    labelNames: ['verdict'],
    registers,
    collect() {
      const now = given();
      for (const verdict of verdicts) this.set({ verdict }, now.filter((one) => one === verdict).length);
    },
  });
}

export function registerGpus(registers: Registry[], snapshot: () => Snapshot, sources: GpuSources): void {
  const { node, readings, xids, holders } = sources;
  registerReadable(registers, sources);
  if (xids) registerXids(registers, snapshot, xids);
  if (!readings) return;
  const holderOf: HolderOf = (gpu) => holders?.()?.(gpu);
  const lastXidOf = ({ readings: { pciAddress } }: GpuState) => {
    const [address, book] = [orNull(pciAddress), xids?.()];
    return address === null || !book ? null : book.lastOf(pciSlot(address));
  };
  for (const metric of dcgmMetrics)
    registerDcgm(registers, metric, () => dcgmSamples(metric, snapshot(), { node, holderOf, lastXidOf }));
}

/** Without these a source that is refused looks as one that has nothing to tell: an alert on Xids would never be raised. */
function registerReadable(registers: Registry[], { xids, holders }: GpuSources): void {
  const readable = (name: string, help: string, source: () => unknown) =>
    new Gauge({
      name,
      help,
      registers,
      collect() {
        this.set(source() === undefined ? 0 : 1);
      },
    });
  if (xids)
    readable(
      'k8s_gpu_mcp_kernel_log_readable',
      '1 while the kernel log can be read; at 0 nothing is known of Xids.',
      xids,
    );
  if (holders)
    readable(
      'k8s_gpu_mcp_pod_resources_readable',
      '1 while the kubelet tells who has which GPU; at 0 no reading has the labels of a pod.',
      holders,
    );
}

function registerDcgm(
  registers: Registry[],
  { name, type, help }: DcgmMetric,
  samples: () => ReturnType<typeof dcgmSamples>,
): void {
  const own = { name, help, labelNames: dcgmLabels, registers };
  if (type === 'gauge')
    new Gauge({
      ...own,
      collect() {
        this.reset();
        for (const { labels, value } of samples()) this.set(labels, value);
      },
    });
  else
    new Counter({
      ...own,
      collect() {
        this.reset();
        for (const { labels, value } of samples()) this.inc(labels, value);
      },
    });
}

function registerXids(
  registers: Registry[],
  snapshot: () => Snapshot,
  xids: () => XidBook | undefined,
): void {
  new Gauge({
    name: 'k8s_gpu_mcp_xid_last_timestamp_seconds',
    help: 'Unix time of the newest line of the kernel log with this Xid of this GPU; fatal: it needs a reset or reboot.',
    labelNames: ['gpu', 'UUID', 'pci_bus_id', 'xid', 'fatal'],
    registers,
    collect() {
      this.reset();
      for (const { slot, xid, fatal, atS } of xids()?.seen ?? []) {
        const labels = { ...gpuAt(slot, snapshot().gpus), xid: String(xid), fatal: String(fatal) };
        if (atS !== null) this.set(labels, atS);
      }
    },
  });
}

/** A GPU that fell off the bus before we started is in the log alone, by its address. */
function gpuAt(slot: string, gpus: Snapshot['gpus']): { gpu?: string; UUID?: string; pci_bus_id: string } {
  const pci_bus_id = pciBusId(`${slot}.0`) ?? '';
  const gpu = gpus.find(({ readings }) => pciSlot(orNull(readings.pciAddress) ?? '') === slot);
  const uuid = gpu && orNull(gpu.readings.uuid);
  return { ...(gpu && { gpu: String(gpu.index) }), ...(uuid != null && { UUID: uuid }), pci_bus_id };
}
