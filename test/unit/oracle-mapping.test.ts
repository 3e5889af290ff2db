import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';

import { eccLocationNames } from '../../src/core/errors-readings.ts';
import { readingNames } from '../../src/core/gpu.ts';
import { p2pCapabilities } from '../../src/core/topology.ts';
import { gpmRow } from '../../src/tools/gpm-row.ts';
import { processRow } from '../../src/tools/process-row.ts';
import { type Check, isAbsence, type Source } from '../oracle/check.ts';
import { compare } from '../oracle/compare.ts';
import { checks, queryFields, untold } from '../oracle/findings.ts';
import { mapping } from '../oracle/mapping.ts';
import { leaf, parseQuery, parseTopology, parseXml } from '../oracle/nvidia-smi.ts';
import { type FakeSmiGpu, smiH100 } from '../support/fake-nvidia-smi.ts';
import { expected } from '../support/nvml/every-reading.ts';
import { inquiries } from '../support/oracle-inquiries.ts';
import { smiTold } from '../support/smi-told.ts';

const isPynvml = ({ from: [first = 'query ' as const] }: Check) => first.startsWith('pynvml ');

const core = join(import.meta.dirname, '../../src/core');
const sources = readdirSync(core)
  .filter((file) => file.endsWith('-readings.ts'))
  .map((file) => readFileSync(join(core, file), 'utf8'))
  .join('\n');
/** Of each reading, the fields of --query-gpu that its docstring names. */
const documented = [
  ...sources.matchAll(/\/\*\*[^\n]*--query-gpu=([\w.,]+)[^\n]*\*\/\n {2}readonly (\w+):/g),
].map(([, fields = '', reading = '']) => ({ reading, fields: fields.split(',') }));

test('every reading is compared with an oracle, or it is said why it cannot be', () => {
  expect(Object.keys(mapping).sort()).toEqual([...readingNames].sort());
  expect(Object.values(mapping).filter((entries) => entries.length === 0)).toEqual([]);
});

test('no value is compared twice with one oracle, nor compared with nvidia-smi and called untold', () => {
  const names = [
    ...checks.map(({ name, check }) => `${name}${isPynvml(check) ? ' pynvml' : ''}`),
    ...untold.map(({ name }) => name),
  ];

  expect(names.filter((name, at) => names.indexOf(name) !== at)).toEqual([]);
});

test('whatever is said to be untold, and whatever pynvml tells, is a reading or a part of one', () => {
  const parts = Object.entries(expected).flatMap(([reading, value]) => [reading, ...partsOf(reading, value)]);
  const named = untold
    .filter(({ reading }) => reading !== 'migDevices' && !(reading in inquired))
    .map(({ name }) => name);

  expect(named.filter((name) => name !== 'fanPercents.others' && !parts.includes(name))).toEqual([]);
});

function partsOf(reading: string, value: unknown): string[] {
  if (reading === 'eccLocations') return eccLocationNames.map((location) => `${reading}.${location}`);
  const [whole] = Array.isArray(value) ? value : [value];
  return typeof whole === 'object' && whole !== null
    ? Object.keys(whole).map((part) => `${reading}.${part}`)
    : [];
}

const bySmi = checks.filter(({ check }) => !isPynvml(check));
const answers = ({ query, xml }: FakeSmiGpu) =>
  new Map([
    ...Object.entries(query).map(([field, told]) => [`query ${field}`, told] as const),
    ...Object.entries(xml).map(([path, told]) => [`xml ${path}`, told.trim()] as const),
  ]);

describe('of a GPU that says something else for every reading', () => {
  const told = answers(smiTold);
  const others = answers(smiH100(1));

  test.for(bySmi)(
    '$name agrees with what nvidia-smi prints for it, and not with another GPU’s',
    ({ reading, check }) => {
      const value = expected[reading as keyof typeof expected];
      const [own, another] = [told, others].map((answer) => firstOf(check.from, answer));
      const verdict = compare(check, value, { before: own, after: own });

      expect(verdict).toBe(isAbsence(own) ? 'missing in both' : 'agrees');
      if (another !== own)
        expect(compare(check, value, { before: another, after: another })).not.toBe('agrees');
    },
  );

  test('nearly everything is told, and differs from another GPU’s', () => {
    const same = bySmi.filter(({ check }) => firstOf(check.from, told) === firstOf(check.from, others));

    expect(bySmi.filter(({ check }) => isAbsence(firstOf(check.from, told))).length).toBeLessThan(30);
    expect(same.length).toBeLessThan(bySmi.length / 2);
  });
});

function firstOf(from: readonly Source[], answer: ReadonlyMap<string, string>): string | undefined {
  return from.map((source) => answer.get(source)).find((text) => text !== undefined);
}

test('control: docstrings name fields of --query-gpu', () => {
  expect(documented.length).toBeGreaterThan(40);
});

test.for(documented)(
  '$reading is compared with the fields of its docstring: $fields',
  ({ reading, fields }) => {
    const compared = checks.filter((check) => check.reading === reading).flatMap(({ check }) => check.from);

    expect(compared).toEqual(expect.arrayContaining(fields.map((field) => `query ${field}`)));
  },
);

test('every part that is compared is one that a reading with all values has', () => {
  const ofDriver = { confidentialComputing: { environment: 'production', enabled: true, devTools: false } };
  const all = new Map<string, unknown>(Object.entries({ ...expected, ...ofDriver, ...inquiries }));
  const absent = checks.filter(({ reading, check }) => {
    const value = all.get(reading);
    return check.part !== undefined && !Array.isArray(value) && check.of(value) === undefined;
  });

  expect(absent.map(({ name }) => name)).toEqual([]);
});

test('every part of a reading is compared or called untold', () => {
  const named = new Set([...checks, ...untold].map(({ name }) => name));
  const parts = Object.entries(expected).flatMap(([reading, value]) =>
    typeof value === 'object' && value !== null && !Array.isArray(value)
      ? Object.keys(value).map((part) => `${reading}.${part}`)
      : [],
  );

  expect(parts.filter((part) => !named.has(part))).toEqual([]);
});

/** What the rows of our tools say of the driver's inquiries. */
const inquired = {
  processes: Object.keys(processRow.shape),
  peers: ['way', 'commonAncestor', ...p2pCapabilities],
  gpm: Object.keys(gpmRow.shape),
};
/** A process's name in the comparison, and what is no value of its own. */
const named = ['pid', 'kinds', 'gpuInstanceId', 'computeInstanceId', 'index', 'ageMs', 'missing'];

test.for(Object.entries(inquired))('every part of %s is compared or called untold', ([inquiry, parts]) => {
  const told = [...checks, ...untold].filter(({ reading }) => reading === inquiry).map(({ name }) => name);

  expect([...new Set(told)].sort()).toEqual(
    parts
      .filter((part) => !named.includes(part))
      .map((part) => `${inquiry}.${part}`)
      .sort(),
  );
});

test('no field of --query-gpu is asked with a space or a comma in it', () => {
  expect(queryFields.filter((field) => !/^[\w.]+$/.test(field))).toEqual([]);
});

test('a line of --query-gpu with fewer values than fields is refused', () => {
  expect(parseQuery('a, , [N/A]\n', ['x', 'y', 'z']).map((row) => [...row.values()])).toEqual([
    ['a', '', '[N/A]'],
  ]);
  expect(() => parseQuery('No devices were found\n', ['x', 'y'])).toThrow('asked for 2 fields and told 1');
});

test('the XML is read by path, with numbers as they are written and lists as JSON', () => {
  const log = parseXml(
    `<?xml version="1.0" ?>\n<!DOCTYPE nvidia_smi_log SYSTEM "nvsmi_device_v12.dtd">\n<nvidia_smi_log>` +
      '<gpu id="00000000:10:00.0"><serial>0012</serial><pci><replay_counter>9</replay_counter></pci><mig_devices>' +
      '<mig_device><index>0</index></mig_device></mig_devices></gpu></nvidia_smi_log>',
  );
  const [gpu = {}] = log.gpu;

  expect(leaf(gpu, 'serial')).toBe('0012');
  expect(leaf(gpu, 'pci/replay_counter')).toBe('9');
  expect(leaf(gpu, 'pci/tx_util/more')).toBeUndefined();
  expect(leaf(gpu, 'mig_devices')).toBe('{"mig_device":[{"index":"0"}]}');
});

test('of the table of topo -m only the rows of GPUs count, whatever stands above and below', () => {
  const table = [
    '\t\u001b[4mGPU0\tGPU1\tNIC0\tCPU Affinity\tNUMA Affinity\tGPU NUMA ID\u001b[0m',
    'GPU0\t X \tNV18\tPXB\t0-47\t0\t\tN/A',
    'GPU1\tNV18\t X \tSYS\t48-95\t1\t\tN/A',
    'NIC0\tPXB\tSYS\t X \t\t\t\t',
    '\nLegend:\n\n  X    = Self',
  ].join('\n');

  expect(parseTopology(table).map((cells) => cells.slice(0, 2))).toEqual([
    ['X', 'NV18'],
    ['NV18', 'X'],
  ]);
  expect(parseTopology('Failed to run topology matrix\n')).toEqual([]);
});
