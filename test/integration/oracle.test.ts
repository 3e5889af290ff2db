import { expect, type TestContext, test } from 'vitest';

import { fakeDriver } from '../support/agent-driver.ts';
import { type FakeSmiGpu, smiH100, writeFakeNvidiaSmi } from '../support/fake-nvidia-smi.ts';
import { told } from '../support/nvml/every-reading.ts';
import { h100 } from '../support/nvml/fake-nvml.ts';
import { runOracle, writeFakePython } from '../support/oracle-run.ts';
import { smiTold } from '../support/smi-told.ts';

function oracle(context: TestContext, gpus: readonly FakeSmiGpu[]): ReturnType<typeof runOracle> {
  const driver = fakeDriver(context);
  return runOracle(driver, writeFakeNvidiaSmi(driver.folder, gpus));
}

function telling(index: number, query: Record<string, string>, xml: Record<string, string> = {}): FakeSmiGpu {
  const gpu = smiH100(index);
  return { query: { ...gpu.query, ...query }, xml: { ...gpu.xml, ...xml } };
}

test('where nvidia-smi says the same of both GPUs nothing differs', async (context) => {
  const { code, stdout, stderr } = await oracle(context, [smiH100(0), smiH100(1)]);

  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(stdout).toMatch(/^\| temperatureC +\| query temperature\.gpu +\| 32 +\| 32 +\| agrees +\| all/m);
  expect(stdout).toMatch(
    /^2 GPUs, \d+ comparisons with nvidia-smi 580\.126\.20 \(not with pynvml: .*\): \d+ agree, 0 moved, 0 differ,/m,
  );
  expect(stdout).toMatch(/^Missing here, told by the oracle: none\.$/m);
  expect(stdout).toMatch(/^No oracle for \d+: .*energyJoules \(/m);
});

test('a GPU that says something else for every reading agrees in all of them', async (context) => {
  const driver = fakeDriver(context, { gpus: [told] });

  const { code, stdout } = await runOracle(driver, writeFakeNvidiaSmi(driver.folder, [smiTold]));

  expect([code, stdout]).toEqual([
    0,
    expect.stringMatching(/ 0 moved, 0 differ, 0 missing here, 0 missing there,/),
  ]);
});

test('GPUs that nvidia-smi lists in another order are matched all the same', async (context) => {
  const { code, stdout } = await oracle(context, [smiH100(1), smiH100(0)]);

  expect([code, stdout]).toEqual([0, expect.stringContaining(' 0 differ,')]);
});

test('one value that differs on one GPU is named, with both sides and the GPU', async (context) => {
  const { code, stdout } = await oracle(context, [
    smiH100(0),
    telling(1, { 'enforced.power.limit': '650.00' }),
  ]);

  expect(code).toBe(1);
  expect(stdout).toMatch(/^\| powerLimitWatts .*\| 700 +\| 650\.00 +\| differs +\| 0000:2b:00\.0 +\|$/m);
  expect(stdout).toMatch(/^\| powerLimitWatts .*\| agrees +\| 0000:1b:00\.0 +\|$/m);
  expect(stdout).toContain(' 1 differ,');
});

test('a value of the XML that differs is named, too', async (context) => {
  const shifted = { 'remapped_rows/remapped_row_pending': 'Yes' };

  const { code, stdout } = await oracle(context, [telling(0, {}, shifted), smiH100(1)]);

  expect(code).toBe(1);
  expect(stdout).toMatch(/^\| remappedRows\.pending .*\| false +\| Yes +\| differs +\| 0000:1b:00\.0 +\|$/m);
});

test('a temperature a little away has moved, one far away differs after three rounds', async (context) => {
  const { code, stdout } = await oracle(context, [
    telling(0, { 'temperature.gpu': '34' }),
    telling(1, { 'temperature.gpu': '60' }),
  ]);

  expect(code).toBe(1);
  expect(stdout).toMatch(/^\| temperatureC .*\| moved +\| 0000:1b:00\.0 +\|$/m);
  expect(stdout).toMatch(/^\| temperatureC .*\| differs +\| 0000:2b:00\.0 +\|$/m);
});

test('a GPU that only one side knows differs', async (context) => {
  const { code, stdout } = await oracle(context, [smiH100(0)]);

  expect(code).toBe(1);
  expect(stdout).toMatch(
    /^\| the GPU itself .*\| is there +\| is not there +\| differs +\| 0000:2b:00\.0 +\|$/m,
  );
});

test('an older nvidia-smi is asked for what it knows only, and what it lacks is named', async (context) => {
  const { query, xml } = smiH100(0);
  const { 'clocks_event_reasons.active': reasons = '', gpu_recovery_action: _, ...others } = query;
  const older = { query: { ...others, 'clocks_throttle_reasons.active': reasons }, xml };

  const driver = fakeDriver(context);
  const { code, stdout } = await runOracle(
    driver,
    writeFakeNvidiaSmi(driver.folder, [
      older,
      { query: { ...older.query, ...secondNames() }, xml: smiH100(1).xml },
    ]),
  );

  expect([code, stdout]).toEqual([0, expect.stringContaining(' 0 differ,')]);
  expect(stdout).toMatch(/^\| clocksEventReasons +\| query clocks_throttle_reasons\.active .*\| agrees/m);
  expect(stdout).toMatch(/^Missing there, told by us: .*recoveryAction/m);
});

function secondNames(): Record<string, string> {
  const { uuid = '', serial = '', 'pci.bus_id': pci = '' } = smiH100(1).query;
  return { uuid, serial, 'pci.bus_id': pci };
}

test('what pynvml tells is compared too, and less is left without an oracle', async (context) => {
  const system = { nvmlVersion: '13.580.126.20', confCompute: { environment: 2, feature: 1, devTools: 0 } };
  const driver = fakeDriver(context, { ...system, gpus: [h100(0)] });
  const smi = writeFakeNvidiaSmi(driver.folder, [smiH100(0)]);
  const answers = {
    'nvmlDeviceGetTotalEnergyConsumption(gpu) / 1000': '6049.123',
    'field(gpu, 194)': '-3',
    'field(gpu, 30)': '[error: Not Supported]',
    'nvmlSystemGetNVMLVersion()': '"13.580.126.20"',
    'nvmlSystemGetConfComputeState().ccFeature != 0': 'false',
  };
  const python = writeFakePython(driver, { [smiH100(0).query['uuid'] ?? '']: answers });

  const { code, stdout } = await runOracle(driver, smi, python);

  expect([code, stdout]).toEqual([
    1,
    expect.stringMatching(/^1 GPU, \d+ comparisons with .* and pynvml: .* 2 differ,/m),
  ]);
  expect(stdout).toMatch(/^\| energyJoules +\| pynvml .*\| 6049\.123 +\| 6049\.123 +\| agrees/m);
  expect(stdout).toMatch(/^\| slowdownMarginC +\| pynvml .*\| -2 +\| -3 +\| differs/m);
  expect(stdout).toMatch(/^\| nvmlVersion +\| pynvml .*\| 13\.580\.126\.20 .*\| agrees/m);
  expect(stdout).toMatch(/^\| confidentialComputing\.enabled +\| pynvml .*\| true +\| false +\| differs/m);
  expect(stdout).toMatch(/^\| retiredPagesDoubleBit +\| pynvml .*\| missing in both/m);
  expect(stdout).not.toMatch(/^No oracle for .*energyJoules/m);
});

test('without nvidia-smi it ends with 2 and says what to do', async (context) => {
  const { code, stdout, stderr } = await runOracle(fakeDriver(context), '/nowhere/nvidia-smi');

  expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  expect(stderr).toMatch(/nowhere\/nvidia-smi was not found\. Run this on a machine with an NVIDIA GPU/);
});
