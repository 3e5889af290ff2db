import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const root = join(import.meta.dirname, '../..');

test('the alerts look only at metrics that the agent has', () => {
  const rules = readFileSync(join(root, 'chart/rules/alerts.yaml'), 'utf8');
  const folder = join(root, 'src/server');
  const sources = readdirSync(folder).filter((name) => name.endsWith('.ts'));
  const agent = sources.map((name) => readFileSync(join(folder, name), 'utf8')).join();

  const asked = new Set(rules.match(/k8s_gpu_mcp_\w+/g));

  expect(asked.size).toBeGreaterThan(3);
  expect([...asked].filter((name) => !agent.includes(`'${name}'`))).toEqual([]);
});
