import { describe, expect, test } from 'vitest';

import { judge } from '../../src/diagnose/judge.ts';
import { driverOk, type Given, gpu, nowMs } from '../support/gpus.ts';

function judged(given: Given) {
  return judge(gpu(0, given), driverOk, nowMs);
}

const reset = { correctable: 0, uncorrectable: 1 };

describe('each rule at its boundary', () => {
  test.for<[string, Given, string, string]>([
    ['6 °C below slowdown', { temperatureC: 83 }, 'ok', 'none'],
    ['5 °C below slowdown', { temperatureC: 84 }, 'watch', 'none'],
    ['1 °C below slowdown', { temperatureC: 88 }, 'watch', 'none'],
    ['at slowdown', { temperatureC: 89 }, 'degraded', 'runDiagnostics'],
    ['1 °C below shutdown', { temperatureC: 94 }, 'degraded', 'runDiagnostics'],
    ['at shutdown', { temperatureC: 95 }, 'failed', 'drain'],
    ['6 °C above its slowdown margin', { temperatureMarginC: 4 }, 'ok', 'none'],
    ['5 °C above its slowdown margin', { temperatureMarginC: 3 }, 'watch', 'none'],
    ['at its slowdown margin', { temperatureMarginC: -2 }, 'degraded', 'runDiagnostics'],
    ['at its shutdown margin', { temperatureMarginC: -8 }, 'failed', 'drain'],
    ['hardware slowdown', { clocksEventReasons: ['hwSlowdown'] }, 'degraded', 'runDiagnostics'],
    ['thermal slowdown', { clocksEventReasons: ['hwThermalSlowdown'] }, 'degraded', 'runDiagnostics'],
    ['power brake', { clocksEventReasons: ['hwPowerBrakeSlowdown'] }, 'degraded', 'runDiagnostics'],
    ['one uncorrectable error', { eccUncorrectedVolatile: 1 }, 'degraded', 'resetGpu'],
    ['pending remap', { remappedRows: { ...reset, pending: true, failed: false } }, 'degraded', 'resetGpu'],
    ['failed remap', { remappedRows: { ...reset, pending: false, failed: true } }, 'failed', 'replace'],
    ['done remap', { remappedRows: { ...reset, pending: false, failed: false } }, 'ok', 'none'],
    ['pending page', { retiredPagesPending: true }, 'degraded', 'resetGpu'],
  ])('%s', ([, given, verdict, action]) => {
    expect(judged(given)).toMatchObject({ verdict, action });
  });

  test.for([
    ['gpuReset', 'failed', 'resetGpu'],
    ['nodeReboot', 'failed', 'rebootNode'],
    ['drainP2P', 'degraded', 'drain'],
    ['drainAndReset', 'failed', 'resetGpu'],
    ['recoverImexDomain', 'degraded', 'contactSupport'],
    ['unknown9', 'unknown', 'runDiagnostics'],
  ] as const)('the driver asks for %s', ([recoveryAction, verdict, action]) => {
    expect(judged({ recoveryAction })).toMatchObject({ verdict, action });
  });
});

test.for<[string, Given]>([
  ['full memory', { memory: { totalBytes: 80e9, reservedBytes: 1e9, usedBytes: 79e9, freeBytes: 0 } }],
  ['a power cap', { clocksEventReasons: ['swPowerCap'], powerWatts: 700 }],
  ['a software thermal slowdown', { clocksEventReasons: ['swThermalSlowdown'] }],
  ['idle clocks', { clocksEventReasons: ['gpuIdle'], graphicsClockMhz: 210, performanceState: 8 }],
  ['errors of a lifetime', { eccUncorrectedAggregate: 4000, eccCorrectedAggregate: 90_000 }],
  ['corrected errors', { eccCorrectedVolatile: 500 }],
  ['full load', { utilization: { gpuPercent: 100, memoryPercent: 100 } }],
  ['a lowered power limit', { powerLimitWatts: 300 }],
  ['persistence off', { persistenceMode: false }],
  ['MIG to be switched on', { migMode: { current: false, pending: true } }],
])('no alarm for %s', ([, given]) => {
  expect(judged(given)).toMatchObject({ verdict: 'ok', action: 'none', findings: [], unchecked: [] });
});

test('the worst finding is the verdict, and it comes first; the most drastic action wins', () => {
  const { verdict, action, findings } = judged({
    temperatureC: 85,
    eccUncorrectedVolatile: 2,
    recoveryAction: 'nodeReboot',
  });

  expect([verdict, action]).toEqual(['failed', 'rebootNode']);
  expect(findings.map((one) => one.verdict)).toEqual(['failed', 'degraded', 'watch']);
});

test('evidence says what was read, against what, by which call, and how long ago', () => {
  const { findings } = judged({ temperatureC: 90 });

  expect(findings).toMatchObject([
    {
      text: '90 °C, at or above its slowdown threshold of 89 °C',
      evidence: [
        {
          name: 'temperatureC',
          value: 90,
          unit: '°C',
          threshold: 89,
          source: 'nvmlDeviceGetTemperature',
          ageMs: 1000,
        },
      ],
    },
  ]);
});
