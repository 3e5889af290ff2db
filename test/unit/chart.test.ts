import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';

import { chartReadme } from '../../scripts/chart-readme.ts';
import { readNode } from '../../src/bridge/cluster/gpu-node.ts';
import { hostDriverCandidates, hostDriverRoot } from '../../src/server/nvml/abi.ts';

const root = join(import.meta.dirname, '../..');
const read = (path: string) => readFileSync(join(root, path), 'utf8');
const values = parse(read('chart/values.yaml'));

interface Requirement {
  readonly key: string;
  readonly operator: string;
  readonly values?: readonly string[];
}

const requirements: Requirement[] = values.nodeAffinity.map(
  (term: { matchExpressions: Requirement[] }) => term.matchExpressions[0],
);

test('chart, agent and package have one version', () => {
  const { version } = JSON.parse(read('package.json'));

  expect(parse(read('chart/Chart.yaml'))).toMatchObject({ version, appVersion: version });
});

describe('the node affinity and the bridge mean the same GPU nodes', () => {
  test('each of its terms is one requirement, on a label by which the bridge knows a GPU node', () => {
    const unknown = requirements.filter(({ key, operator, values: [value] = ['nvidia-tesla-t4'] }) => {
      const { hasGpus } = readNode({ metadata: { labels: { [key]: value ?? '' } } });
      return !hasGpus || !['In', 'Exists'].includes(operator);
    });

    expect(values.nodeAffinity).toHaveLength(requirements.length);
    expect(unknown).toEqual([]);
  });

  test('each value that it asks for is one that the bridge asks for', () => {
    const wrongValue = requirements
      .filter(({ operator }) => operator === 'In')
      .filter(({ key }) => readNode({ metadata: { labels: { [key]: 'another' } } }).hasGpus);

    expect(wrongValue).toEqual([]);
  });

  test('no label of the bridge is forgotten', () => {
    const source = read('src/bridge/cluster/gpu-node.ts');
    const plain = [...source.matchAll(/label: '([^']+)'/g)].map(([, label]) => label);
    const nfd = ['pci-10de', 'pci-0302_10de', 'pci-0300_10de'];
    const expanded = nfd.map((device) => `feature.node.kubernetes.io/${device}.present`);

    expect(
      source.match(/label: \//g),
      'labels that are patterns: an affinity has to spell them out',
    ).toHaveLength(1);
    expect(requirements.map(({ key }) => key).sort()).toEqual([...plain, ...expanded].sort());
  });
});

test('where the mode hostDriver mounts the driver is where the agent looks for its library', () => {
  const [, mounted] =
    /define "k8s-gpu-mcp.driverRoot" -}}([^{]+){{/.exec(read('chart/templates/_pod.tpl')) ?? [];

  expect(hostDriverRoot).toBe(mounted);
  for (const folder of ['usr/lib/x86_64-linux-gnu', 'usr/lib/aarch64-linux-gnu', 'usr/lib64', 'lib64'])
    expect(hostDriverCandidates).toContain(`${mounted}/${folder}/libnvidia-ml.so.1`);
});

describe('values', () => {
  test('they fit on a page or two', () => {
    expect(read('chart/values.yaml').trimEnd().split('\n').length).toBeLessThanOrEqual(120);
  });

  test('the schema knows every one of them', () => {
    const { properties } = JSON.parse(read('chart/values.schema.json'));

    expect(Object.keys(properties).sort()).toEqual([...Object.keys(values), 'global'].sort());
  });

  test('the schema refuses an unknown key in every object of ours', () => {
    const open = objectsOf(JSON.parse(read('chart/values.schema.json'))).filter(
      ({ schema }) => schema.additionalProperties === undefined,
    );

    // The API server checks what it alone defines; Helm itself adds `global`.
    const theirs = ['global', 'tolerations', 'podSelector', 'namespaceSelector', 'valueFrom'];
    expect(open.map(({ name }) => name).sort()).toEqual(
      [...theirs, 'extraVolumes', 'extraVolumeMounts'].sort(),
    );
  });
});

describe("the chart's README", () => {
  const readme = read('chart/README.md');

  test('has the table of values that values.yaml gives: renew it by `bun scripts/chart-readme.ts`', () => {
    expect(readme).toBe(chartReadme(readme, read('chart/values.yaml')));
  });

  test('names only values files that exist, and all that stand for a platform', () => {
    const named = [...readme.matchAll(/\]\((ci\/[\w-]+\.yaml)\)/g)].map(([, path = '']) => path);
    const other = ['default', 'monitoring', 'stdio'].map((name) => `ci/${name}-values.yaml`);

    expect(named.filter((path) => !existsSync(join(root, 'chart', path)))).toEqual([]);
    expect([...named, ...other].sort()).toEqual(
      readdirSync(join(root, 'chart/ci'))
        .map((name) => `ci/${name}`)
        .sort(),
    );
  });

  test('every values file says in a comment what it is for, in at most 25 lines', () => {
    const files = readdirSync(join(root, 'chart/ci')).map((name) => read(`chart/ci/${name}`));

    for (const file of files) expect(file).toMatch(/^# /);
    expect(Math.max(...files.map((file) => file.trimEnd().split('\n').length))).toBeLessThanOrEqual(25);
  });
});

interface Schema {
  readonly type?: string | readonly string[];
  readonly additionalProperties?: unknown;
}

/** Every schema of an object, with the key it stands under: of a list's items that is the list's key. */
function objectsOf(schema: Schema, name = ''): { name: string; schema: Schema }[] {
  const below = Object.entries(schema)
    .filter(([, value]) => typeof value === 'object' && value !== null)
    .flatMap(([key, value]) => objectsOf(value as Schema, key === 'items' ? name : key));
  return [schema.type ?? []].flat().includes('object') ? [{ name, schema }, ...below] : below;
}
