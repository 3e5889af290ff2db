import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

import { Fault } from '../../src/core/fault.ts';
import { demoScenario } from '../../src/simulate/built-in.ts';
import { simulatedDriver } from '../../src/simulate/driver.ts';
import { modelNames } from '../../src/simulate/models.ts';
import { parseScenario } from '../../src/simulate/scenario.ts';
import { openedNvml } from '../support/agent-nvml.ts';
import { toFakeNvml } from '../support/scenario/to-fake-nvml.ts';

const page = readFileSync(join(import.meta.dirname, '../../docs/scenario.md'), 'utf8');
const [, example = ''] = /```yaml\n(.*?)```/s.exec(page) ?? [];

const everyFault = `nodes:
${modelNames.map((model) => `  - { name: ${model.toLowerCase()}, gpus: [{ model: ${model}, count: 3 }] }`).join('\n')}
timeline:
  - at: 10
    gpu: 1
    set:
      temperatureC: noPermission
      serial: gpuLost
      recoveryAction: unknown7
      clocksEventReasons: []
      pciAddress: 'abcd1234:3b:1f.0'
      smClockMhz: notSupported
      memoryTemperatureC: noPermission
      energyJoules: notSupported
      pcieReplays: 17
      encoderPercent: 7
      decoderPercent: nvmlReturn999
  - { at: 20, gpu: 0, returns: { all: 15 } }
  - { at: 30, gpu: 0, returns: { all: 0 } }
  - { at: 40, returns: { nvmlInit_v2: 18, nvmlSystemGetDriverVersion: 4 } }
  - { at: 50, returns: { nvmlInit_v2: 9 } }
  - { at: 60, returns: { nvmlInit_v2: 0 } }
  - { at: 70, gpu: 2, returns: { all: 999, nvmlDeviceGetHandleByIndex_v2: 0, nvmlDeviceGetTemperature: 0 } }
  - { at: 80, gpu: 2, returns: { nvmlDeviceGetHandleByIndex_v2: 27 } }
`;

const scenarios = [
  ['the demo', demoScenario],
  ['the scenario of the documentation', parseScenario(example, 'scenario.md')],
  ['a scenario with every fault', parseScenario(everyFault, 'every-fault.yaml')],
] as const;
const momentsS = [0, 11, 21, 31, 41, 51, 61, 71, 81, 330, 1210, 1810, 2000, 5410, 5530];

test.for(scenarios)('%s reads alike simulated and through the C fake, at any time', async ([, scenario]) => {
  const { driver: real, write } = openedNvml();
  for (const { name, gpus } of scenario.nodes) {
    let now = 0;
    const simulated = simulatedDriver({ scenario, node: name, nowMs: () => now });
    const compareReadings = async (when: string) => {
      for (const index of gpus.keys())
        expect(await simulated.read(index), `${name}, GPU ${index}, ${when}`).toEqual(real.read(index));
    };
    const reopen = async () => {
      const opened = await outcome(async () => real.open());
      expect(await outcome(() => simulated.open())).toEqual(opened);
    };
    write(toFakeNvml(scenario, name, 0));
    await reopen();

    for (const seconds of momentsS) {
      now = seconds * 1000;
      const config = toFakeNvml(scenario, name, now);
      expect(config.hangs).toEqual([]);
      write(config);
      await compareReadings(`${seconds} s`);
      await reopen();
      await compareReadings(`${seconds} s, opened anew`);
    }
  }
});

/** What opening gives: the driver's versions, or the code of the fault. */
async function outcome(open: () => Promise<unknown>): Promise<unknown> {
  return open().catch((thrown) => Fault.from(thrown).code);
}
