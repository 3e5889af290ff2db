import { fleetInput } from '../../src/bridge/bridge.ts';
import type { GpuEvent } from '../../src/core/event.ts';
import type { GpuHistory, SeriesName } from '../../src/core/history.ts';
import type { Snapshot } from '../../src/core/snapshot.ts';
import { parseArguments } from '../../src/tools/arguments.ts';
import { type Presented, present } from '../../src/tools/present.ts';
import { timeline } from '../../src/tools/timeline.ts';
import type { GpuTimeline } from '../../src/tools/timeline-shape.ts';
import type { Tool } from '../../src/tools/tool.ts';
import { contextOf } from './answers.ts';
import { eventLog } from './events.ts';
import { gpu, snapshot } from './gpus.ts';
import { historyOf, keyOf, type Shows } from './history.ts';

export interface TimelineNode {
  readonly snapshot: Snapshot;
  readonly history: GpuHistory | undefined;
  readonly events?: readonly GpuEvent[];
  /** Some that were before then are not known any more. */
  readonly eventsLostBeforeMs?: number;
}

/** A busy GPU without troubles. */
export const calm = {
  gpuUtilizationPercent: 60,
  memoryUsedBytes: 20 * 2 ** 30,
  temperatureC: 55,
  powerWatts: 350,
  smClockMhz: 1755,
};

/** A node of so many GPUs, which have shown this for an hour. */
export function nodeOf(
  shows: readonly Shows[],
  events: readonly GpuEvent[] = [],
  sinceMs = 3_600_000,
): TimelineNode {
  const all = Object.fromEntries(shows.map((each, index) => [keyOf(index), each]));
  const gpus = shows.map((_, index) => gpu(index));
  return { snapshot: snapshot(gpus), history: historyOf(all, sinceMs), events };
}

/** What the bridge makes of these nodes' answers. */
export function askTimeline(nodes: Readonly<Record<string, TimelineNode>>, given: object = {}): Presented {
  const { nodes: _nodes, cursor: _cursor, limit: _limit, ...own } = given as Record<string, unknown>;
  const args = parseArguments(timeline.input, { ...own, detail: 'full' });
  /** Many nodes of a test may be one and the same. */
  const values = new Map<TimelineNode, ReturnType<typeof timeline.output.parse>>();
  for (const node of Object.values(nodes)) {
    const { snapshot, history, events = [], eventsLostBeforeMs: lostBeforeMs = null } = node;
    const page = { events, cursor: '0123abcd-7', eventsLost: lostBeforeMs !== null, lostBeforeMs };
    const context = {
      ...contextOf(snapshot, eventLog(events, { since: () => page })),
      ...(history && { history }),
    };
    if (!values.has(node)) values.set(node, overTheWire(timeline.answer(args as never, context)));
  }
  const answers = Object.entries(nodes).map(([node, each]) => ({ node, value: values.get(each) }));
  const tool = timeline as unknown as Tool;
  return present(tool, parseArguments(fleetInput(tool), given), answers);
}

function overTheWire(value: unknown) {
  return timeline.output.parse(JSON.parse(JSON.stringify(value)));
}

/** Of a node alone: what it says of its GPUs. */
export function gpusOf(node: TimelineNode, given: object = {}): GpuTimeline[] {
  const { structured } = askTimeline({ a: node }, { detail: 'full', ...given });
  return (structured['rows'] as { kind: string; gpu: GpuTimeline }[])
    .filter(({ kind }) => kind === 'gpu')
    .map((row) => row.gpu)
    .sort((a, b) => (a.index ?? 0) - (b.index ?? 0));
}

export function seriesOf(timelineOfGpu: GpuTimeline | undefined, name: SeriesName) {
  return timelineOfGpu?.series.find((each) => each.name === name);
}
