import {
  type Driver,
  type DriverInfo,
  driverWentAway,
  type Inquiries,
  nothingRemembered,
  type Readers,
  type ReadOptions,
  type Remembered,
  type Told,
  takeReadings,
  unreadable,
} from '../core/driver.ts';
import { Fault } from '../core/fault.ts';
import { type GpuReadings, readingNames, symbolOf } from '../core/gpu.ts';
import { faultForCode, missingForCode, nvmlReturn } from '../core/nvml-return.ts';
import { orNull, type Reading } from '../core/reading.ts';
import { codeOf, driverAt, type GpuCondition, gpuAt, hangEndsAfter } from './condition.ts';
import { simulatedGpm } from './gpm.ts';
import { simulatedPeers } from './links.ts';
import { simulatedProcesses } from './processes.ts';
import { nodeOf, type Scenario, type ScenarioNode } from './scenario.ts';

const POLL_MS = 20;
/** nvmlReturn_t for an index that the driver does not have: INVALID_ARGUMENT of nvml.h. */
const INVALID_ARGUMENT = 2;

/** The call by which a scenario makes each question fail. */
const inquired: Readonly<Record<keyof Inquiries, string>> = {
  processes: 'nvmlDeviceGetComputeRunningProcesses_v3',
  peers: 'nvmlDeviceGetTopologyCommonAncestor',
  gpm: 'nvmlGpmSampleGet',
};

export interface SimulatedDriverOptions {
  readonly scenario: Scenario;
  /** Which node of the scenario to be; undefined: the first. */
  readonly node: string | undefined;
  /** Monotonic ms since the agent's start. */
  readonly nowMs: () => number;
}

/**
 * The GPUs of one node of a scenario. All that they say follows from the scenario and the time.
 *
 * @throws Fault SCENARIO_INVALID when the scenario has no such node; it names those that there are
 */
export function simulatedDriver(options: SimulatedDriverOptions): Driver {
  return new SimulatedDriver(options);
}

class SimulatedDriver implements Driver {
  readonly #scenario: Scenario;
  readonly #node: ScenarioNode;
  readonly #nowMs: () => number;
  /** Of the driver, when it was opened; null while it is not open. */
  #generation: number | null = null;
  #remembered: Remembered[] = [];
  #returned = 0;
  #abandoned = false;
  #reading: number | null = null;

  constructor({ scenario, node, nowMs }: SimulatedDriverOptions) {
    this.#scenario = scenario;
    this.#node = nodeOf(scenario, node);
    this.#nowMs = nowMs;
  }

  async open(): Promise<DriverInfo> {
    this.#generation = null;
    this.#remembered = [];
    const { codes, generation } = driverAt(this.#scenario, this.#node.name, this.#nowMs());
    this.#demand('nvmlInit_v2', codes.nvmlInit_v2);
    this.#demand('nvmlDeviceGetCount_v2', codes.nvmlDeviceGetCount_v2);
    this.#generation = generation;
    return {
      driverVersion: this.#answer(codes.nvmlSystemGetDriverVersion, { value: this.#node.driver }),
      cudaVersion: this.#answer(codes.nvmlSystemGetCudaDriverVersion, { value: this.#node.cuda }),
      nvmlVersion: { value: `13.${this.#node.driver}` },
      confidentialComputing: { value: { environment: 'unavailable', enabled: false, devTools: false } },
      gpuCount: this.#node.gpus.length,
    };
  }

  async read(index: number, slowly = true): Promise<GpuReadings> {
    if (this.#generation === null) return unreadable('driverUnavailable');
    if (this.#node.gpus[index] === undefined) return unreadable(missingForCode(INVALID_ARGUMENT));
    this.#remembered[index] ??= nothingRemembered();
    const remembered = this.#remembered[index];
    await this.#hangOver(index);
    const gpu = this.#gpu(index);
    const code = this.#alive() ? codeOf(gpu, 'nvmlDeviceGetHandleByIndex_v2') : nvmlReturn.UNINITIALIZED;
    const handle = this.#answer(code, { value: index });
    if ('missing' in handle) return unreadable(handle.missing, remembered.settled);
    return takeReadings(this.#readers(gpu), remembered, slowly);
  }

  async readAll(indices: readonly number[], { slowly }: ReadOptions, told: Told): Promise<number> {
    for (const index of indices) {
      this.#reading = index;
      const readings = await this.read(index, slowly);
      this.#reading = null;
      told(index, readings, { slowly, tookMs: 0, between: null });
      if (driverWentAway(readings)) break;
    }
    return this.#node.gpus.length;
  }

  reading(): number | null {
    return this.#reading;
  }

  async inquire<What extends keyof Inquiries>(what: What, index: number): Promise<Inquiries[What]> {
    if (this.#generation === null) return { missing: 'driverUnavailable' } as Inquiries[What];
    this.#reading = index;
    await this.#hangOver(index);
    this.#reading = null;
    const code = this.#alive() ? codeOf(this.#gpu(index), inquired[what]) : nvmlReturn.UNINITIALIZED;
    return this.#answer<unknown>(code, this.#said(what, index)) as Inquiries[What];
  }

  #said(what: keyof Inquiries, index: number): Reading<unknown> {
    const seed = `${this.#node.name}/${index}`;
    if (what === 'peers') return { value: simulatedPeers(this.#node, index) };
    if (what === 'gpm') return simulatedGpm(seed, this.#node.gpus[index], this.#nowMs());
    const usedBytes = orNull(this.#gpu(index).readings.memory)?.usedBytes ?? 0;
    return { value: simulatedProcesses(seed, index, { usedBytes, atMs: this.#nowMs() }) };
  }

  async close(): Promise<void> {
    this.#generation = null;
  }

  abandon(): void {
    this.#abandoned = true;
  }

  callsReturned(): number {
    return this.#returned;
  }

  #gpu(index: number): GpuCondition {
    return gpuAt(this.#scenario, this.#node.name, index, this.#nowMs());
  }

  /** What was opened before the driver went away is dead, as NVML's handles are, until it is opened anew. */
  #alive(): boolean {
    const { away, generation } = driverAt(this.#scenario, this.#node.name, this.#nowMs());
    return !away && generation === this.#generation;
  }

  /** Returns when calls on the GPU do. Neither its timers nor its promise keep the process alive. */
  async #hangOver(index: number): Promise<void> {
    while (this.#alive() && this.#gpu(index).hung) {
      const ends = hangEndsAfter(this.#scenario, this.#node.name, index, this.#nowMs());
      if (this.#abandoned || !ends) await new Promise<never>(() => {});
      await new Promise((resolve) => setTimeout(resolve, POLL_MS).unref());
    }
  }

  #readers(gpu: GpuCondition): Readers {
    const reader = (name: keyof GpuReadings) => () =>
      this.#answer<unknown>(codeOf(gpu, symbolOf[name]), gpu.readings[name]);
    const readers = Object.fromEntries(
      readingNames.map((name) => [name, reader(name)]),
    ) as unknown as Readers;
    return { ...readers, migDevices: () => this.#migDevices(gpu, readers) };
  }

  /** As with NVML: whether there can be any says another call, and while MIG is off nobody asks. */
  #migDevices(gpu: GpuCondition, readers: Readers): GpuReadings['migDevices'] {
    const mode = codeOf(gpu, symbolOf.migMode);
    if (mode !== nvmlReturn.SUCCESS) return { missing: missingForCode(mode) };
    const { migMode } = gpu.readings;
    if ('missing' in migMode) return migMode;
    return migMode.value.current ? readers.migDevices() : { value: [] };
  }

  /** One driver call has returned. */
  #answer<T>(code: number, reading: Reading<T>): Reading<T> {
    this.#returned += 1;
    return code === nvmlReturn.SUCCESS ? reading : { missing: missingForCode(code) };
  }

  #demand(symbol: string, code: number): void {
    this.#returned += 1;
    if (code === nvmlReturn.SUCCESS) return;
    throw new Fault(`${symbol} of the simulated driver returned ${code}`, { code: faultForCode(code) });
  }
}
