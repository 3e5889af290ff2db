import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { groupBy } from '../../src/core/group-by.ts';

/** What a nvidia-smi says of one GPU. */
export interface FakeSmiGpu {
  /** By field of --query-gpu, as printed without units. */
  readonly query: Readonly<Record<string, string>>;
  /** By path below <gpu>, as printed with units. */
  readonly xml: Readonly<Record<string, string>>;
  /** Its row of `topo -m`, which is refused where there is none. */
  readonly topology?: readonly string[];
}

/**
 * What a nvidia-smi of R590 prints for the healthy H100 of the C fake with this index: its words, units and forms of absence
 * are those of captures from real H100s.
 */
export function smiH100(index: number): FakeSmiGpu {
  const uuid = `GPU-00000000-0000-4000-8000-${String(index).padStart(12, '0')}`;
  const bus = (0x1b + 0x10 * index).toString(16).toUpperCase();
  return {
    query: { ...smiQuery, uuid, serial: String(1650000000000 + index), 'pci.bus_id': `00000000:${bus}:00.0` },
    xml: { ...smiXml, uuid, minor_number: String(index) },
  };
}

const smiQuery = {
  name: 'NVIDIA H100 80GB HBM3',
  compute_cap: '9.0',
  vbios_version: '96.00.A5.00.01',
  'inforom.img': 'G520.0200.00.05',
  'inforom.oem': '2.1',
  'inforom.ecc': '7.16',
  'inforom.pwr': '[N/A]',
  'inforom.checksum_validation': 'valid',
  'platform.module_id': '1',
  'memory.total': '81559',
  'memory.reserved': '551',
  'memory.used': '0',
  'memory.free': '81008',
  'utilization.gpu': '0',
  'utilization.memory': '0',
  'utilization.encoder': '0',
  'utilization.decoder': '0',
  'utilization.jpeg': '0',
  'utilization.ofa': '0',
  pstate: 'P0',
  'clocks.current.graphics': '345',
  'clocks.current.sm': '345',
  'clocks.current.memory': '2619',
  'clocks.current.video': '765',
  'clocks.max.graphics': '1980',
  'clocks.max.sm': '1980',
  'clocks.max.memory': '2619',
  'pcie.link.gen.gpucurrent': '5',
  'pcie.link.gen.current': '5',
  'pcie.link.gen.max': '5',
  'pcie.link.width.current': '16',
  'pcie.link.width.max': '16',
  'temperature.gpu': '32',
  'temperature.gpu.tlimit': '55',
  'temperature.memory': '36',
  'fan.speed': '[N/A]',
  'power.draw': '70.00',
  'power.draw.instant': '70.00',
  'power.draw.average': '70.00',
  'module.power.draw.instant': '[N/A]',
  'enforced.power.limit': '700.00',
  'power.default_limit': '700.00',
  'power.min_limit': '200.00',
  'power.max_limit': '700.00',
  'clocks_event_reasons.active': '0x0000000000000001',
  'clocks_event_reasons_counters.sw_power_cap': '0',
  'clocks_event_reasons_counters.sync_boost': '0',
  'clocks_event_reasons_counters.sw_thermal_slowdown': '0',
  'clocks_event_reasons_counters.hw_thermal_slowdown': '0',
  'clocks_event_reasons_counters.hw_power_brake_slowdown': '0',
  'ecc.mode.current': 'Enabled',
  'ecc.mode.pending': 'Enabled',
  ...Object.fromEntries(
    ['corrected.volatile', 'corrected.aggregate', 'uncorrected.volatile', 'uncorrected.aggregate'].flatMap(
      (kind) => [
        ...['total', 'dram', 'sram'].map((place) => [`ecc.errors.${kind}.${place}`, '0']),
        ...['l1_cache', 'l2_cache', 'register_file', 'texture_memory', 'cbu'].map((place) => [
          `ecc.errors.${kind}.${place}`,
          '[N/A]',
        ]),
      ],
    ),
  ),
  'ecc.errors.uncorrected.aggregate.sram.thresholdExceeded': 'No',
  'remapped_rows.histogram.max': '2560',
  'remapped_rows.histogram.high': '0',
  'remapped_rows.histogram.partial': '0',
  'remapped_rows.histogram.low': '0',
  'remapped_rows.histogram.none': '0',
  'retired_pages.pending': '[N/A]',
  'retired_pages.single_bit_ecc.count': '[N/A]',
  'retired_pages.double_bit.count': '[N/A]',
  gpu_recovery_action: 'None',
  compute_mode: 'Default',
  persistence_mode: 'Enabled',
  'mig.mode.current': 'Disabled',
  'mig.mode.pending': 'Disabled',
  'fabric.state': 'Completed',
  'fabric.status': 'Success',
  'fabric.cliqueId': '0',
  'fabric.clusterUuid': '00000000-0000-0000-0000-000000000000',
};

const smiXml = {
  product_brand: 'NVIDIA',
  product_architecture: 'Hopper',
  board_part_number: '692-2G520-0200-000',
  gsp_firmware_version: '580.126.20',
  mig_devices: '\n\t\t\tNone\n\t\t',
  processes: '\n\t\t',
  'platformInfo/chassis_serial_number': 'N/A',
  'platformInfo/slot_number': 'N/A',
  'platformInfo/tray_index': 'N/A',
  'platformInfo/host_id': 'N/A',
  'platformInfo/peer_type': 'N/A',
  'platformInfo/module_id': '1',
  'gpu_virtualization_mode/virtualization_mode': 'None',
  'pci/replay_counter': '0',
  'max_clocks/video_clock': '1545 MHz',
  'bar1_memory_usage/total': '131072 MiB',
  'bar1_memory_usage/used': '6 MiB',
  'bar1_memory_usage/free': '131066 MiB',
  'ecc_errors/volatile/sram_correctable': '0',
  'ecc_errors/volatile/sram_uncorrectable_parity': '0',
  'ecc_errors/volatile/sram_uncorrectable_secded': '0',
  'ecc_errors/aggregate/sram_correctable': '0',
  'ecc_errors/aggregate/sram_uncorrectable_parity': '0',
  'ecc_errors/aggregate/sram_uncorrectable_secded': '0',
  'ecc_errors/aggregate_uncorrectable_sram_sources/sram_l2': '0',
  'ecc_errors/aggregate_uncorrectable_sram_sources/sram_sm': '0',
  'ecc_errors/aggregate_uncorrectable_sram_sources/sram_microcontroller': '0',
  'ecc_errors/aggregate_uncorrectable_sram_sources/sram_pcie': '0',
  'ecc_errors/aggregate_uncorrectable_sram_sources/sram_other': '0',
  'ecc_errors/channel_repair_pending': 'No',
  'ecc_errors/tpc_repair_pending': 'No',
  'ecc_errors/unrepairable_memory': 'No',
  'remapped_rows/remapped_row_corr': '0',
  'remapped_rows/remapped_row_unc': '0',
  'remapped_rows/remapped_row_pending': 'No',
  'remapped_rows/remapped_row_failure': 'No',
  'temperature/gpu_temp_max_tlimit_threshold': '-8 C',
  'temperature/gpu_temp_slow_tlimit_threshold': '-2 C',
  'temperature/gpu_temp_max_gpu_tlimit_threshold': '0 C',
  'temperature/gpu_temp_max_mem_tlimit_threshold': '0 C',
};

/** Writes a program into this folder that answers as nvidia-smi does, and refuses a query with an unknown field, too. */
export function writeFakeNvidiaSmi(folder: string, gpus: readonly FakeSmiGpu[]): string {
  const path = join(folder, 'nvidia-smi');
  const said = JSON.stringify({
    queries: gpus.map(({ query }) => query),
    xml: logOf(gpus),
    topology: topologyOf(gpus),
  });
  writeFileSync(
    path,
    `#!/usr/bin/env node\nconst { queries, xml, topology } = ${said};\n(${answer.toString()})(queries, xml, topology);\n`,
    {
      mode: 0o755,
    },
  );
  return path;
}

function answer(queries: Record<string, string>[], xml: string, topology: string | null): void {
  const say = (text: string) => process.stdout.write(`${text}\n`);
  const [, , asked = ''] = process.argv;
  const names = Object.keys(queries[0] ?? {});
  if (asked === '-q') return void say(xml);
  if (asked === 'topo') {
    process.exitCode = topology === null ? 255 : 0;
    return void say(topology ?? 'Failed to run topology matrix');
  }
  if (asked === '--help-query-gpu') return void say(names.map((name) => `"${name}"\nWhat it is.`).join('\n'));
  const fields = asked.replace('--query-gpu=', '').split(',');
  const strange = fields.find((field) => !names.includes(field));
  say(
    strange === undefined
      ? queries.map((query) => fields.map((field) => query[field]).join(', ')).join('\n')
      : `Field "${strange}" is not a valid field to query.`,
  );
  process.exitCode = strange === undefined ? 0 : 2;
}

/** With underlined heads, a column that is no GPU, and an explanation below, as captures have them. */
function topologyOf(gpus: readonly FakeSmiGpu[]): string | null {
  if (gpus.some(({ topology }) => topology === undefined)) return null;
  const names = gpus.map((_, at) => `GPU${at}`);
  return [
    ['', `\u001b[4m${names[0]}`, ...names.slice(1), 'NIC0', 'CPU Affinity\u001b[0m'].join('\t'),
    ...gpus.map(({ topology = [] }, at) => [names[at], ...topology, 'PXB', '0-47'].join('\t')),
    ['NIC0', ...names.map(() => 'PXB'), ' X '].join('\t'),
    '\nLegend:\n\n  X    = Self\n  SYS  = Connection traversing PCIe as well as the SMP interconnect between NUMA nodes',
  ].join('\n');
}

function logOf(gpus: readonly FakeSmiGpu[]): string {
  const each = gpus.map(
    ({ query, xml }) => `<gpu id="${query['pci.bus_id']}">${elements(Object.entries(xml))}</gpu>`,
  );
  return [
    '<?xml version="1.0" ?>',
    '<!DOCTYPE nvidia_smi_log SYSTEM "nvsmi_device_v12.dtd">',
    '<nvidia_smi_log><driver_version>580.126.20</driver_version><cuda_version>13.0</cuda_version>',
    `<attached_gpus>${gpus.length}</attached_gpus>`,
    ...each,
    '</nvidia_smi_log>',
  ].join('\n');
}

function elements(leaves: readonly (readonly [path: string, text: string])[]): string {
  const byTag = groupBy(leaves, ([path]) => path.split('/')[0] ?? '');
  return [...byTag].map(([tag, below]) => `<${tag}>${inner(tag, below)}</${tag}>`).join('\n');
}

function inner(tag: string, below: readonly (readonly [path: string, text: string])[]): string {
  const [[path, text] = ['', '']] = below;
  return path === tag
    ? text
    : elements(below.map(([name, told]) => [name.slice(tag.length + 1), told] as const));
}
