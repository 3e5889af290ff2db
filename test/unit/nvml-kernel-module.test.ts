import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';

import { kernelModuleText } from '../../src/server/nvml/kernel-module.ts';

function proc(files: Readonly<Record<string, string>>): string {
  const folder = mkdtempSync(join(tmpdir(), 'k8s-gpu-mcp-proc-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), content);
  }
  return folder;
}

const modules = 'nvme 61440 1 - Live 0x0\next4 1 0 - Live 0x0\n';

test.for([
  ['closed', 'NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.183.01  Sun May 12 19:39:15 UTC 2024'],
  [
    'open',
    'NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  535.183.01  Release Build  (dvs-builder)',
  ],
])('the %s module is told with its version', ([, version = '']) => {
  const text = kernelModuleText(
    proc({ 'driver/nvidia/version': `${version}\nGCC version: 12.2.0\n`, modules }),
  );

  expect(text).toBe(
    'the node has the NVIDIA kernel module 535.183.01 loaded: its driver is not visible in this pod',
  );
});

test('a module whose version is covered is told all the same', () => {
  expect(kernelModuleText(proc({ modules: `${modules}nvidia 56000000 3 nvidia_uvm, Live 0x0 (PO)\n` }))).toBe(
    'the node has the NVIDIA kernel module loaded: its driver is not visible in this pod',
  );
});

test('a node without it is told as that, and where nothing can be seen nothing is said', () => {
  const others = 'nvidiafb 61440 0 - Live 0x0\ni2c_nvidia_gpu 1 0 - Live 0x0\n';

  expect(kernelModuleText(proc({ modules: modules + others }))).toBe(
    'the node has no NVIDIA kernel module loaded',
  );
  expect(kernelModuleText(proc({ modules: '' }))).toBe('the node has no NVIDIA kernel module loaded');
  expect(kernelModuleText(proc({}))).toBe('');
});
