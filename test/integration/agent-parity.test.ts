import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, type TestContext, test } from 'vitest';

import { nodeNames, parseScenario } from '../../src/simulate/scenario.ts';
import { startAgent, until } from '../support/agent.ts';
import { dataOf, inventoryOf, type NodeAnswer, textOf } from '../support/agent-client.ts';
import { fakeDriver } from '../support/agent-driver.ts';
import { toFakeNvml } from '../support/scenario/to-fake-nvml.ts';

// What befalls them is there from the start, and their load does not change: the two agents look at different times.
const steady = `utilization: { gpuPercent: 50, memoryPercent: 20 }, powerWatts: 300, instantPowerWatts: 301, averagePowerWatts: 302, modulePowerWatts: 400, energyJoules: 1000, pcieTxBytes: 1000, pcieRxBytes: 2000, nvlinkTxBytes: 1024, nvlinkRxBytes: 2048, powerViolationSeconds: 1.5, videoClockMhz: 1400, temperatureMarginC: 37, pcieGeneration: 4, temperatureC: 50, memoryTemperatureC: 55, graphicsClockMhz: 1500, smClockMhz: 1500, memoryClockMhz: 1500, performanceState: 0, clocksEventReasons: [], memory: { totalBytes: 4000, reservedBytes: 100, usedBytes: 200, freeBytes: 3700 }`;
const scenarioText = `nodes:
  - { name: hung, gpus: [{ model: H100, count: 2 }] }
  - { name: healthy, gpus: [{ model: H100, count: 2 }, { model: B200, count: 1 }] }
  - { name: old, driver: '470.256.02', cuda: '11.4', gpus: [{ model: T4, count: 2 }] }
  - { name: hot, gpus: [{ model: A100, count: 3 }] }
  - { name: memory, gpus: [{ model: H100, count: 4 }] }
  - { name: lost, gpus: [{ model: H100, count: 2 }] }
  - { name: broken, gpus: [{ model: GB200, count: 3 }] }
  - { name: empty, gpus: [] }
  - { name: unloaded, gpus: [{ model: H100, count: 1 }] }
  - { name: mismatched, gpus: [{ model: H100, count: 1 }] }
timeline:
  - { at: 0, set: { ${steady} } }
  - { at: 0, node: hot, gpu: 0, set: { temperatureC: 88, slowdownTemperatureC: 92 } }
  - { at: 0, node: hot, gpu: 1, set: { temperatureC: 99, clocksEventReasons: [hwSlowdown, hwThermalSlowdown] } }
  - { at: 0, node: memory, gpu: 0, set: { eccUncorrectedVolatile: 3, eccUncorrectedAggregate: 9 } }
  - { at: 0, node: memory, gpu: 1, set: { remappedRows: { correctable: 0, uncorrectable: 1, pending: true, failed: false } } }
  - { at: 0, node: memory, gpu: 2, set: { remappedRows: { correctable: 0, uncorrectable: 8, pending: false, failed: true } } }
  - { at: 0, node: memory, gpu: 3, set: { recoveryAction: drainAndReset } }
  - { at: 0, node: lost, gpu: 1, returns: { nvmlDeviceGetTemperature: 15 } }
  - { at: 0, node: broken, gpu: 0, returns: { nvmlDeviceGetTemperature: 999 } }
  - { at: 0, node: broken, gpu: 1, returns: { all: 16 } }
  - { at: 0, node: broken, gpu: 2, set: { serial: noPermission, migMode: notSupportedByDriver } }
  - { at: 0, node: hung, gpu: 0, hang: true }
  - { at: 0, node: unloaded, returns: { nvmlInit_v2: 9 } }
  - { at: 0, node: mismatched, returns: { nvmlInit_v2: 18 } }
`;
const scenario = parseScenario(scenarioText, 'parity.yaml');

async function bothAgents(context: TestContext, node: string) {
  const driver = fakeDriver(context, toFakeNvml(scenario, node, 0));
  const file = join(driver.folder, 'scenario.yaml');
  writeFileSync(file, scenarioText);
  const [real, simulated] = await Promise.all([
    startAgent(context, { ...driver, env: { ...driver.env, NODE_NAME: node } }),
    startAgent(context, {
      args: ['--nvml-mode', 'simulated', '--scenario', file, '--sample-interval', '50ms'],
      env: { NODE_NAME: node },
    }),
  ]);
  return { driver, real: real.url, simulated: simulated.url };
}

/** Without what is different in any two answers: ages; and where the simulation names itself. */
function comparable(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value), (name, member) => {
    if (['ageMs', 'slowAgeMs', 'forMs', 'simulated', 'clock'].includes(name)) return undefined;
    if (Array.isArray(member)) return member.filter((each) => !isOfXids(each));
    if (isAge(member)) return { ...member, value: undefined };
    if (typeof member !== 'string') return member;
    return member
      .replace(/nvmlInit\w* of .* returned/, 'init returned')
      .replace(/for \d+ m?s/, 'for some time');
  });
}

/** Only the simulated agent reads a kernel log here. */
function isOfXids(unchecked: unknown): boolean {
  return typeof unchecked === 'string' && unchecked.startsWith('Xids');
}

/** Evidence for how long something has been so. */
function isAge(member: unknown): member is object {
  return typeof member === 'object' && member !== null && 'unit' in member && member.unit === 'ms';
}

/** Each GPU has been read twice, which makes rates, or given up. */
function isSettled({ gpus }: NodeAnswer): boolean {
  return gpus.every(
    ({ trouble, missing }) => trouble !== null || missing['pcieTxBytesPerSecond'] !== 'notReady',
  );
}

test.concurrent.for(nodeNames(scenario))(
  'the node %s is told alike by the program on simulated GPUs and on the C fake',
  async (node, context) => {
    const { real, simulated } = await bothAgents(context, node);
    await until('all of both is known', async () =>
      [await dataOf(real, 'get_gpu_metrics'), await dataOf(simulated, 'get_gpu_metrics')].every(isSettled),
    );

    for (const tool of ['get_gpu_inventory', 'get_gpu_health', 'get_gpu_metrics']) {
      const [ofReal, ofSimulated] = await Promise.all([dataOf(real, tool), dataOf(simulated, tool)]);
      context.expect([ofReal.simulated, ofSimulated.simulated]).toEqual([false, true]);
      context.expect(comparable(ofSimulated)).toEqual(comparable(ofReal));

      const [text, simulatedText] = await Promise.all([textOf(real, tool), textOf(simulated, tool)]);
      context.expect(plain(simulatedText)).toBe(`SIMULATED DATA: these GPUs are made up.\n${plain(text)}`);
    }
  },
);

/** A text without ages. */
function plain(text: string): string {
  return text
    .replace(/^The node's clock shows .*$/m, 'clock')
    .replace(/nvmlInit\w* of .* returned/, 'init returned')
    .replace(/(, )?Xids[^:]*: (the kernel log is not read \(.*?\)\)|its PCI address is not known)/g, '')
    .replace(/ \(not checked: \)/g, '')
    .replace(/\bok as far as checked/g, 'ok')
    .replace(/\d+ (ms|s) (old|ago)/g, 'some time $2')
    .replace(/ \(some time ago: [\w, ]+\)/g, '')
    .replace(/ \(read some time ago\)/g, '') // of what is read rarely, once it is a second older than the rest
    .replace(/; those taken once a minute at most \d+ (ms|s)/g, '')
    .replace(/, for \d+ m?s/g, ', for some time')
    .replace(/ for \d+ m?s:/g, ' for some time:');
}

test('control: one other value is seen', async (context) => {
  const { driver, real, simulated } = await bothAgents(context, 'healthy');
  const { gpus, ...others } = toFakeNvml(scenario, 'healthy', 0);
  const was = comparable(await inventoryOf(simulated));

  driver.write({
    ...others,
    gpus: gpus.map((gpu, index) => (index === 2 ? { ...gpu, temperatureC: 51 } : gpu)),
  });
  await until('it is read', async () => temperatures(await inventoryOf(real)).includes(51));

  expect(comparable(await inventoryOf(real))).not.toEqual(was);
});

function temperatures({ gpus }: NodeAnswer): (number | null)[] {
  return gpus.map(({ temperatureC }) => temperatureC);
}
