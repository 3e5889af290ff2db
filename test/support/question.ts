import { inventory } from '../../src/tools/inventory.ts';

/** To every node of a fleet, by one who never leaves. */
export const question = {
  tool: inventory,
  args: {},
  nodes: undefined,
  requestId: '1',
  signal: new AbortController().signal,
  onProgress: () => undefined,
};
