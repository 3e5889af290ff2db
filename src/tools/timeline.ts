import { z } from 'zod';

import { mayLack } from '../core/event.ts';
import type { Moment } from '../core/history.ts';
import { byName, foldNames } from '../core/names.ts';
import { count } from '../core/words.ts';
import { slotOf } from './event-row.ts';
import {
  answerOf,
  driverAnswer,
  driverProblemText,
  driverText,
  nodeAnswer,
  selectGpus,
  simulatedText,
} from './node-answer.ts';
import { eventsIn, isProven, nodeEventsOf, numberOf, toldEvents } from './timeline-events.ts';
import type { GapReason } from './timeline-gaps.ts';
import { goneTimelines } from './timeline-gone.ts';
import { timelineOf } from './timeline-gpu.ts';
import { nodeRow, nodeSummary, nodeText } from './timeline-node.ts';
import { type GpuTimeline, gpuTimeline, timelineEvent } from './timeline-shape.ts';
import { fullText, lackText, nodeEventsText, shortText, troublesOf } from './timeline-text.ts';
import { timelineInput, usualSeries, windowOf, windowText } from './timeline-window.ts';
import { type Answer, defineTool, type NodeContext } from './tool.ts';

const output = z.object({
  ...nodeAnswer,
  /** Null where there is a history. */
  noHistory: z.string().nullable().describe('why nothing is kept on this node'),
  fromMs: z.number().describe('Unix time, by the clock of the node'),
  toMs: z.number(),
  gpus: z.array(gpuTimeline),
  /** Of which there is nothing but their history: they left before the agent was started. */
  gone: z.array(gpuTimeline).default([]),
  /** Of no GPU that is known: of the node, of a switch. */
  nodeEvents: z.array(timelineEvent),
  nodeEventsOmitted: z.int().default(0),
  eventsMayLack: z.boolean().default(false).describe('events of this time may be missing'),
});
type NodeTimeline = z.output<typeof output>;

const row = z.union([
  z.object({ kind: z.literal('driverProblem'), node: z.string(), driver: driverAnswer }),
  z.object({ kind: z.literal('noHistory'), nodes: z.array(z.string()), why: z.string() }),
  z.object({
    kind: z.literal('nodeEvents'),
    node: z.string(),
    events: z.array(timelineEvent),
    omitted: z.int(),
  }),
  z.object({
    kind: z.literal('gpu'),
    node: z.string(),
    gpu: gpuTimeline,
    full: z.boolean(),
    twin: z.boolean().describe('another GPU of this node is told under the same index'),
  }),
  nodeRow,
]);
type Row = z.output<typeof row>;

export const timeline = defineTool({
  name: 'get_gpu_timeline',
  title: 'GPU timeline',
  description:
    'What the GPUs did before now. Statistics and sparkline per series, with slowdowns, threshold crossings, Xid and other events ' +
    'and gaps on the same axis. Of the fleet: GPUs to which something happened first, then each node in one line. gpu or ' +
    'detail=full: all of it. 10-s samples of 2 h (1 s around events), 5-min means of 48 h.',
  input: timelineInput,
  output,
  head: z.object({
    window: z.string(),
    nodes: z.int(),
    gpus: z.int(),
    gpusWithEvents: z.int(),
    gpusSlowedDown: z.int(),
    gpusOverThreshold: z.int(),
    gpusWithGaps: z.int(),
    gpusNotThereNow: z.int(),
    gpusInTrouble: z.int().describe('lost, hung or vanished now, or that cannot say who they are'),
    gpusWithErrors: z.int().describe('of which an error counter has grown'),
    nodeEvents: z.int().describe('of no GPU that is known'),
    nodesWithoutHistory: z.int(),
    driverProblemNodes: z.array(z.string()),
    eventsMayLackNodes: z.array(z.string()),
    simulatedNodes: z.array(z.string()),
  }),
  row,

  answer(args, node) {
    const { snapshot, history, clock } = node;
    const now: Moment = { ...clock, atMs: Date.parse(clock.wallTime) };
    const window = windowOf(args, now);
    const gpus = selectGpus(snapshot, args.gpu);
    const page = node.events.since(undefined);
    const { events } = page;
    const series = args.series ?? usualSeries;
    const wide = args.gpu !== undefined && series.length <= wideAtMost;
    const wanted = { window, series, columns: wide ? columnsOfOne : columnsOfMany };
    const driverIsWell = snapshot.driver.state === 'ok';
    const known = { now, events, gpus: snapshot.gpus, driverIsWell, nowWhy: nowWhy(node) };
    const slots = new Set(snapshot.gpus.map(slotOf));
    const others = events.filter(({ pciSlot }) => pciSlot === null || !slots.has(pciSlot));
    return {
      ...answerOf(node),
      noHistory: history ? null : 'this agent was started for one call',
      fromMs: Math.round(window.fromMs),
      toMs: Math.round(window.toMs),
      gpus: history ? gpus.map((gpu) => timelineOf(gpu, wanted, { ...known, history })) : [],
      gone: history ? goneTimelines(args.gpu, wanted, { ...known, history }) : [],
      eventsMayLack: mayLack(page, window.fromMs),
      ...nodeEventsOf(toldEvents(eventsIn(window, others), snapshot.gpus, nodeEventsAtMost)),
    };
  },

  merge(args, answers) {
    const gpus = answers.flatMap(({ node, value }) => placed(node, value.gpus));
    const gone = answers.flatMap(({ node, value }) => placed(node, value.gone));
    const full = args.detail === 'full' || args.gpu !== undefined || gpus.length <= shownInFullAtMost;
    const odd = [...gpus, ...gone].filter(({ gpu }) => troublesOf(gpu).length > 0).sort(worstFirst);
    const others = full ? gpus.filter((each) => !odd.includes(each)) : [];
    const number = (is: (gpu: GpuTimeline) => boolean) => gpus.filter(({ gpu }) => is(gpu)).length;
    const problems = answers.filter(({ value }) => value.driver.problem);
    return {
      head: {
        window: windowText(
          args,
          answers.map(({ value }) => value.fromMs),
        ),
        nodes: answers.length,
        gpus: gpus.length,
        gpusWithEvents: number(({ events }) => events.some(isProven)),
        gpusSlowedDown: number(isSlowed),
        gpusOverThreshold: number(isHot),
        gpusWithGaps: number(({ gaps }) => gaps.length > 0),
        gpusNotThereNow: gone.filter(({ gpu }) => gpu.trouble === 'notThereNow').length,
        gpusInTrouble: odd.filter(({ gpu }) => gpu.trouble !== null && gpu.trouble !== 'notThereNow').length,
        gpusWithErrors: number(({ errors }) => Object.keys(errors).length > 0),
        nodeEvents: answers.reduce((sum, { value }) => sum + numberOfNodeEvents(value), 0),
        nodesWithoutHistory: answers.filter(({ value }) => value.noHistory !== null).length,
        driverProblemNodes: problems.map(({ node }) => node),
        eventsMayLackNodes: answers.filter(({ value }) => value.eventsMayLack).map(({ node }) => node),
        simulatedNodes: answers.filter(({ value }) => value.simulated).map(({ node }) => node),
      },
      rows: [
        ...problems.map(({ node, value }): Row => ({ kind: 'driverProblem', node, driver: value.driver })),
        ...withoutHistory(answers),
        ...odd.map((each, at): Row => ({ kind: 'gpu', ...each, full: full || at < shownInFullAtMost })),
        ...answers.flatMap(nodeEvents),
        ...others.map((each): Row => ({ kind: 'gpu', ...each, full: true })),
        ...(full ? [] : answers.flatMap(nodeSummary).sort((a, b) => byName(a.node, b.node))),
      ],
      gpuCount: gpus.length + gone.length,
    };
  },

  headText(head) {
    const counts = [
      [head.gpusWithEvents, 'with events'],
      [head.gpusSlowedDown, 'slowed down'],
      [head.gpusOverThreshold, 'over a threshold'],
      [head.gpusWithErrors, 'with more errors counted'],
      [head.gpusInTrouble, 'in trouble now'],
      [head.gpusWithGaps, 'with gaps'],
      [head.gpusNotThereNow, 'more not there now'],
      [head.nodeEvents, 'events of no GPU'],
    ] as const;
    const facts = counts.filter(([number]) => number > 0).map(([number, words]) => `${number} ${words}`);
    return [
      ...simulatedText(head.nodes, head.simulatedNodes),
      `${count(head.gpus, 'GPU')} on ${count(head.nodes, 'node')}, ${head.window}: ${facts.join(', ') || (isKnown(head) ? 'nothing happened' : 'what happened is not known')}.${driverProblemText(head.driverProblemNodes)}${lackText(head.eventsMayLackNodes)}`,
    ];
  },

  rowText(row) {
    if (row.kind === 'driverProblem') return `${row.node}: ${driverText(row.driver)}`;
    if (row.kind === 'noHistory') return `no history on ${foldNames(row.nodes)}: ${row.why}`;
    if (row.kind === 'nodeEvents') return `${row.node}: ${nodeEventsText(row.events, row.omitted)}`;
    if (row.kind === 'node') return nodeText(row);
    if (row.full) return fullText(row.node, row.gpu);
    return shortText(row.node, row.gpu, row.twin);
  },
});

/** The answers of a fleet are many. */
const columnsOfMany = 60;
const columnsOfOne = 120;
const wideAtMost = 8;
const nodeEventsAtMost = 12;
/** Each takes a dozen lines. */
const shownInFullAtMost = 4;

function nowWhy({ snapshot: { driver } }: NodeContext): GapReason {
  if (driver.state === 'notResponding') return 'driverNotResponding';
  return driver.state === 'unavailable' ? 'driverUnavailable' : 'notSampled';
}

function isSlowed({ slowed }: GpuTimeline): boolean {
  return slowed.includes(true);
}

function isHot({ crossings }: GpuTimeline): boolean {
  return crossings.some(({ harmless }) => !harmless);
}

interface Placed {
  readonly node: string;
  readonly gpu: GpuTimeline;
  readonly twin: boolean;
}

/** Where one GPU has vanished, another may have its index. */
function placed(node: string, gpus: readonly GpuTimeline[]): Placed[] {
  const others = (gpu: GpuTimeline) => gpus.filter((other) => other !== gpu && other.index === gpu.index);
  return gpus.map((gpu) => ({ node, gpu, twin: gpu.index !== null && others(gpu).length > 0 }));
}

function worstFirst(a: Placed, b: Placed): number {
  return badness(b.gpu) - badness(a.gpu) || byName(a.node, b.node) || (a.gpu.index ?? 0) - (b.gpu.index ?? 0);
}

function badness(gpu: GpuTimeline): number {
  const events = gpu.events.filter(isProven);
  const grave = events.some(({ severity }) => severity === 'critical' || severity === 'fatal');
  const signs = [gpu.trouble !== null, grave, events.length > 0, isHot(gpu), isSlowed(gpu)];
  return signs.reduce((sum, sign, at) => sum + (sign ? 2 ** (signs.length - at) : 0), 0);
}

function withoutHistory(answers: readonly Answer<NodeTimeline>[]): Row[] {
  const whys = new Set(answers.flatMap(({ value }) => value.noHistory ?? []));
  return [...whys].map((why) => {
    const nodes = answers.filter(({ value }) => value.noHistory === why).map(({ node }) => node);
    return { kind: 'noHistory', nodes, why };
  });
}

function nodeEvents({ node, value }: Answer<NodeTimeline>): Row[] {
  const { nodeEvents: events, nodeEventsOmitted: omitted } = value;
  return events.length > 0 ? [{ kind: 'nodeEvents', node, events, omitted }] : [];
}

function numberOfNodeEvents({ nodeEvents: events, nodeEventsOmitted: omitted }: NodeTimeline): number {
  return numberOf(events.filter(isProven)) + omitted;
}

/** Of no GPU at all nothing can be told. */
function isKnown({ gpus, nodesWithoutHistory }: { gpus: number; nodesWithoutHistory: number }): boolean {
  return gpus > 0 && nodesWithoutHistory === 0;
}
