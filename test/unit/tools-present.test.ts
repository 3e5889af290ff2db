import { describe, expect, test } from 'vitest';

import { fleetInput } from '../../src/bridge/bridge.ts';
import { parseArguments } from '../../src/tools/arguments.ts';
import { health } from '../../src/tools/health.ts';
import { inventory } from '../../src/tools/inventory.ts';
import { budgetCharacters, present } from '../../src/tools/present.ts';
import type { Tool } from '../../src/tools/tool.ts';
import { allRows, answersOf, ask, type FleetSnapshots } from '../support/answers.ts';
import { gpu, snapshot } from '../support/gpus.ts';

const tools: readonly Tool[] = [inventory, health];

/** Healthy nodes, each of a kind of its own, so that nothing can be grouped. */
function differing(nodes: number, gpus = 2): FleetSnapshots {
  return Object.fromEntries(
    Array.from({ length: nodes }, (_, node) => [
      `gpu-${node}`,
      snapshot(Array.from({ length: gpus }, (_, at) => gpu(at, { name: `Model ${node}` }, { node }))),
    ]),
  );
}

describe.for(tools)('$name', (tool) => {
  test.for(['summary', 'full'] as const)('paging in %s walks every row exactly once', (detail) => {
    const fleet = differing(40);
    const walked = allRows(tool, fleet, { detail, limit: 7 });

    expect(walked).toHaveLength(detail === 'full' ? 80 : 40);
    expect(new Set(walked.map((row) => JSON.stringify(row))).size).toBe(walked.length);
    expect(walked).toEqual(allRows(tool, fleet, { detail, limit: 1000 }));
  });

  test('an answer that is not whole says how to get the rest, and the last page that it is the last', () => {
    const first = ask(tool, differing(5), { limit: 2 });
    const last = ask(tool, differing(5), { limit: 2, cursor: 'row-4' });
    const whole = ask(tool, differing(5));

    expect(first.text).toMatch(/\nRows 1 to 2 of 5\. For the rest call again with cursor="row-2"/);
    expect(last.text).toMatch(/\nRows 5 to 5 of 5: this is the end\.$/);
    expect(whole.text).not.toContain('Rows ');
  });

  test('a cursor beyond the end says so, and is not an empty fleet', () => {
    const { text } = ask(tool, differing(5), { cursor: 'row-9' });

    expect(text).toMatch(/10 GPUs on 5 nodes/);
    expect(text).toMatch(/There are 5 rows, and none from row 10 on\.$/);
  });

  test.for([['3'], ['row-x'], ['row--1'], ['']] as const)('the cursor "%s" is not ours', ([cursor]) => {
    expect(() => ask(tool, differing(2), { cursor })).toThrow(
      expect.objectContaining({
        code: 'BAD_ARGUMENT',
        message: expect.stringContaining(`cursor: "${cursor}"`),
      }),
    );
  });

  test('a node that stuffs its answer can neither break the budget nor hide the others', () => {
    const answers = answersOf(tool, differing(3), {});
    const reasons = Array.from({ length: 5000 }, (_, at) => `reason ${at}`);
    for (const { value } of answers.slice(0, 1))
      for (const each of (value as { gpus: object[] }).gpus)
        Object.assign(each, { verdict: 'watch', unchecked: reasons, missing: { ...reasons } });

    const { text } = present(tool, parseArguments(fleetInput(tool), { detail: 'full' }), answers);

    expect(text.length).toBeLessThanOrEqual(budgetCharacters);
    expect(text).toContain('…');
    expect(text).toContain('gpu-2 GPU 1');
  });

  test('a GPU that no node has is an error that says where was looked', () => {
    expect(() => ask(tool, differing(2), { gpu: 'GPU-none' })).toThrow(
      expect.objectContaining({
        code: 'GPU_NOT_FOUND',
        message: 'no GPU GPU-none on any of the 2 nodes that answered',
      }),
    );
    expect(() => ask(tool, differing(1), { gpu: 9 })).toThrow('no GPU 9 on gpu-0');
  });

  test('a GPU that is named is shown whole, and only it', () => {
    const { text, structured } = ask(tool, differing(3), { gpu: 'GPU-00000001-0000-0000-0000-000000000001' });

    expect(structured['rows']).toMatchObject([{ kind: 'gpu', node: 'gpu-1', gpu: { index: 1 } }]);
    expect(text).toContain('GPU-00000001-0000-0000-0000-000000000001');
  });
});
