import { describe, expect, test } from 'vitest';

import { type Envelope, envelopeText, failedNode, statusOf } from '../../src/bridge/fleet/envelope.ts';
import { Fault } from '../../src/core/fault.ts';

const now = new Date('2026-11-22T03:00:00Z');

function envelope(given: Partial<Envelope>): Envelope {
  const whole = {
    requestId: 'ab12',
    durationMs: 1234,
    nodesTotal: 3,
    answered: 3,
    failed: [],
    withoutAgent: [],
    clocks: [],
  };
  return { status: 'success', ...whole, ...given };
}

function late(node: string, secondsAgo = 0): Envelope['failed'][number] {
  const fault = new Fault('no answer within 2500 ms', { code: 'NODE_TIMEOUT' });
  return failedNode(node, fault, new Date(now.getTime() - secondsAgo * 1000));
}

test.for([
  [3, 0, 'success'],
  [2, 1, 'partial'],
  [0, 3, 'error'],
  [0, 0, 'error'],
] as const)('%i answered and %i silent is %s', ([answered, silent, status]) => {
  expect(statusOf(answered, silent)).toBe(status);
});

describe('what stands before every answer', () => {
  test('all answered', () => {
    expect(envelopeText(envelope({}), { notes: [], named: false }, now)).toEqual([
      'success: 3 of 3 GPU nodes answered (request ab12, 1 s).',
    ]);
  });

  test('where the call named its nodes the total does not pass for that of the cluster', () => {
    expect(envelopeText(envelope({}), { notes: [], named: true }, now)).toEqual([
      'success: 3 of 3 nodes asked answered (request ab12, 1 s).',
    ]);
  });

  test('nodes that failed alike are named together, each group with its reason and what to do', () => {
    const refused = failedNode('b-7', new Fault('connect ECONNREFUSED', { code: 'NODE_UNREACHABLE' }), now);

    const text = envelopeText(
      envelope({ status: 'partial', nodesTotal: 6, failed: [late('a-1'), late('a-2', 75), refused] }),
      { notes: ['events cannot be read'], named: false },
      now,
    );

    expect(text).toEqual([
      'partial: 3 of 6 GPU nodes answered (request ab12, 1 s).',
      'Note: events cannot be read.',
      'NO ANSWER from a-[1-2]: NODE_TIMEOUT: no answer within 2500 ms (last tried 75 s ago). Call again with this node in `nodes` to wait for it, or look at its pod.',
      "NO ANSWER from b-7: NODE_UNREACHABLE: connect ECONNREFUSED. Look at the agent's pod on this node (kubectl describe pod), or at the URL given by --node.",
    ]);
  });

  test('who said it may have ended the sentence: no text shows two full stops, or one after a question', () => {
    const because = (message: string) => new Fault(message, { code: 'NODE_UNREACHABLE' });
    const failed = [
      failedNode('a', because('is the port in use?'), now),
      failedNode('b', because('ask by POST (MCP over HTTP).'), now),
      failedNode('c', because('gone.'), new Date(now.getTime() - 75_000)),
    ];
    const withoutAgent = [{ node: 'd', why: 'image not found.' }];

    const text = envelopeText(
      envelope({ status: 'partial', failed, withoutAgent }),
      { notes: ['Nodes may not be listed.', 'wait...'], named: false },
      now,
    ).join('\n');

    expect(text).not.toMatch(/[.?!]\s*\.(?!\w)/);
    expect(text).toContain('in use? Look at');
    expect(text).toContain('gone (last tried 75 s ago). Look at');
    expect(text).toContain('Note: Nodes may not be listed.\nNote: wait.\n');
    expect(text).toMatch(/NO AGENT on d: image not found\.$/);
  });

  test('GPU nodes without an agent are named with why', () => {
    const withoutAgent = [
      { node: 'c-1', why: 'no DaemonSet' },
      { node: 'c-2', why: 'no DaemonSet' },
      { node: 'd', why: 'pod x is Pending' },
    ];

    expect(
      envelopeText(
        envelope({ status: 'partial', nodesTotal: 6, withoutAgent }),
        { notes: [], named: false },
        now,
      ).slice(1),
    ).toEqual(['NO AGENT on c-[1-2]: no DaemonSet.', 'NO AGENT on d: pod x is Pending.']);
  });

  test('where nodes may not be listed, that nobody knows whether these are all is said', () => {
    const [head] = envelopeText(envelope({ nodesTotal: null }), { notes: [], named: false }, now);

    expect(head).toBe(
      'success: 3 nodes answered; whether that is all cannot be told, since nodes may not be listed (request ab12, 1 s).',
    );
  });

  test('too many different reasons: all names are counted, an example of each code is given', () => {
    const failed = Array.from({ length: 500 }, (_, at) => ({
      ...late(`n${at}`),
      message: `reason ${at} ${'x'.repeat(50)}`,
    }));
    const withoutAgent = Array.from({ length: 500 }, (_, at) => ({
      node: `m${at}`,
      why: `pod agent-${at} is Pending`,
    }));

    const text = envelopeText(
      envelope({ status: 'partial', nodesTotal: 1003, failed, withoutAgent }),
      { notes: [], named: false },
      now,
    );

    expect(text).toHaveLength(3);
    expect(text[1]).toMatch(/^NO ANSWER from n\[0-499\]: NODE_TIMEOUT: reason 0 x+ \(for example\)\. /);
    expect(text[2]).toMatch(
      /^NO AGENT on m\[0-499\]: pod agent-0 is Pending \(on 1 of them\); 499 other reasons/,
    );
  });
});
