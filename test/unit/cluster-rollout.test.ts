import { describe, expect, test } from 'vitest';
import { agentPod, type KubeObject } from '../support/kube-api/objects.ts';
import { see } from '../support/kube-api/see.ts';

const waiting = { phase: 'Running', containerStatuses: [{ name: 'agent', state: { waiting: {} } }] };

describe('of two pods of one DaemonSet on a node', () => {
  const unready = {
    phase: 'Running',
    conditions: [{ type: 'Ready', status: 'False' }],
    containerStatuses: [{ name: 'agent', ready: false, state: { running: {} } }],
  };
  const old = agentPod('gpu-1', { name: 'old', createdAt: '2026-11-01T00:00:00Z' });
  const asked = (...pods: KubeObject[]) => see({ pods }).agents.map(({ pod }) => pod);

  test('the newest that is ready and stays is asked', () => {
    const pods = [
      agentPod('gpu-1', { name: 'new', createdAt: '2026-11-02T00:00:00Z' }),
      agentPod('gpu-1', { name: 'leaving', createdAt: '2026-11-03T00:00:00Z', terminating: true }),
      agentPod('gpu-1', { name: 'broken', createdAt: '2026-11-04T00:00:00Z', status: waiting }),
    ];

    expect(asked(old, ...pods)).toEqual(['new']);
  });

  test('the older is asked until the newer one is ready; its mode is the one that counts', () => {
    const labels = { 'k8s-gpu-mcp/mode': 'stdio' };
    const at = { name: 'new', createdAt: '2026-11-02T00:00:00Z', labels };

    expect(asked(old, agentPod('gpu-1', { ...at, status: unready }))).toEqual(['old']);
    expect(see({ pods: [old, agentPod('gpu-1', at)] }).agents).toMatchObject([{ pod: 'new', mode: 'stdio' }]);
  });

  test('the older is leaving and the newer not ready yet: the newer is asked, as it runs', () => {
    const leaving = agentPod('gpu-1', { name: 'old', terminating: true });

    expect(asked(leaving, agentPod('gpu-1', { name: 'new', status: unready }))).toEqual(['new']);
  });

  test('where neither is ready the newer is asked', () => {
    const at = { createdAt: '2026-11-02T00:00:00Z', status: unready };

    expect(
      asked(agentPod('gpu-1', { name: 'old', status: unready }), agentPod('gpu-1', { name: 'new', ...at })),
    ).toEqual(['new']);
  });
});

test('an agent that was restarted is another one; one whose readiness comes and goes is the same', () => {
  const agent = (ready: string, restartCount: number) =>
    see({
      pods: [
        agentPod('gpu-1', {
          status: {
            phase: 'Running',
            conditions: [{ type: 'Ready', status: ready }],
            containerStatuses: [{ name: 'agent', restartCount, state: { running: {} } }],
          },
        }),
      ],
    }).agents[0];

  expect(agent('True', 1)?.life).not.toBe(agent('True', 0)?.life);
  expect(agent('False', 0)).toEqual({ ...agent('True', 0), ready: false });
});
