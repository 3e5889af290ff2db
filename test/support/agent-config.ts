import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';

import { Fault } from '../../src/core/fault.ts';
import { type Config, parseConfig } from '../../src/server/config.ts';

export function configOf(argv: readonly string[], environment: Record<string, string> = {}): Config {
  const parsed = parseConfig(argv, environment);
  if ('print' in parsed) throw new Error('it only prints');
  return parsed.config;
}

export function refusalOf(argv: readonly string[], environment: Record<string, string> = {}): string {
  try {
    parseConfig(argv, environment);
  } catch (thrown) {
    const { code, message } = Fault.from(thrown);
    return `${code}: ${message}`;
  }
  throw new Error('it was accepted');
}

/** A file of this content, gone when the test ends. */
export function file(content: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'k8s-gpu-mcp-config-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, 'file'), content);
  return join(folder, 'file');
}
