import { z } from 'zod';

import { mayLack } from '../core/event.ts';
import { groupBy } from '../core/group-by.ts';
import { byName, foldNames } from '../core/names.ts';
import { count } from '../core/words.ts';
import { severities } from '../diagnose/xid.ts';
import { commonArguments } from './arguments.ts';
import { type Burst, burst, burstsOf, burstText } from './event-burst.ts';
import { type EventRow, eventRow, eventRowOf, slotOf } from './event-row.ts';
import { answerOf, nodeAnswer, selectGpus, simulatedText } from './node-answer.ts';
import { type Answer, defineTool, type NodeContext } from './tool.ts';

const source = z.object({ readable: z.boolean(), reason: z.string().nullable() });

const output = z.object({
  ...nodeAnswer,
  /** How many of the node's GPUs were asked for. */
  gpus: z.int(),
  gpusWithoutAddress: z
    .int()
    .default(0)
    .describe('asked for by name, and not known by the address that events name: theirs are not told'),
  kernelLog: source,
  /** Xids as the driver itself tells them; an older agent does not say whether it hears them. */
  driverEvents: source.optional(),
  cursor: z.string().describe('to be given as since the next time'),
  eventsLost: z
    .boolean()
    .describe('some may be missing: events after since, or without it any, were dropped or missed'),
  events: z.array(eventRow),
});
type NodeEvents = z.output<typeof output>;

const row = z.union([
  z.object({
    kind: z.literal('logUnreadable'),
    nodes: z.array(z.string()),
    reason: z.string(),
    driverEvents: source.optional(),
  }),
  z.object({ kind: z.literal('driverUnheard'), nodes: z.array(z.string()), reason: z.string() }),
  z.object({ kind: z.literal('addressUnknown'), nodes: z.array(z.string()) }),
  z.object({ kind: z.literal('eventsLost'), nodes: z.array(z.string()) }),
  burst,
]);
type Row = z.output<typeof row>;

export const xidErrors = defineTool({
  name: 'analyze_xid_errors',
  title: 'Xid errors',
  description:
    "Errors of GPUs in the nodes' kernel logs, decoded. Xid and SXid with name, meaning and what to do; GPUs fallen off the bus, " +
    'driver messages, PCIe bus errors, processes killed for want of memory. Worst first; repeats of one error are one line with a ' +
    'count. Says where the log cannot be read: no events there prove nothing. detail=full: every event with its line.',
  input: z.strictObject({
    ...commonArguments,
    sinceMinutes: z.int().min(1).max(100_000).optional().describe('only what happened in so many minutes'),
    since: z
      .string()
      .min(1)
      .optional()
      .describe('only what came after this `cursor` of one node (structured answers)'),
  }),
  output,
  head: z.object({
    nodes: z.int(),
    events: z.int(),
    severities: z.record(z.string(), z.int()),
    unreadableNodes: z.array(z.string()),
    simulatedNodes: z.array(z.string()),
    cursors: z.record(z.string(), z.string()).describe('node → cursor'),
  }),
  row,

  answer({ gpu, since, sinceMinutes }, node) {
    const page = node.events.since(since);
    const gpus = selectGpus(node.snapshot, gpu);
    const slots = gpus.map(slotOf).filter((slot) => slot !== null);
    const fromMs =
      sinceMinutes === undefined ? null : Date.parse(node.clock.wallTime) - 60_000 * sinceMinutes;
    const events = page.events
      .filter(({ pciSlot }) => gpu === undefined || (pciSlot !== null && slots.includes(pciSlot)))
      .filter(({ atMs }) => fromMs === null || atMs === null || atMs >= fromMs)
      .map((event) => eventRowOf(event, node.snapshot.gpus));
    return {
      ...answerOf(node),
      gpus: gpus.length,
      gpusWithoutAddress: gpu === undefined ? 0 : gpus.length - slots.length,
      kernelLog: { ...node.events.sources.kernelLog },
      driverEvents: heardFrom(node),
      cursor: page.cursor,
      eventsLost: mayLack(page, fromMs),
      events,
    };
  },

  merge({ detail }, answers) {
    const bursts = answers.flatMap(({ node, value }) => burstsOf(node, value.events, detail === 'full'));
    const unreadable = answers.filter(({ value }) => !value.kernelLog.readable);
    const nodesWith = (is: (value: NodeEvents) => boolean) =>
      answers.filter(({ value }) => is(value)).map(({ node }) => node);
    const lost = nodesWith(({ eventsLost }) => eventsLost);
    const nameless = nodesWith(({ gpusWithoutAddress }) => gpusWithoutAddress > 0);
    const events = answers.flatMap(({ value }) => value.events);
    return {
      head: {
        nodes: answers.length,
        events: events.length,
        severities: countSeverities(events),
        unreadableNodes: unreadable.map(({ node }) => node),
        simulatedNodes: nodesWith(({ simulated }) => simulated),
        cursors: Object.fromEntries(answers.map(({ node, value }) => [node, value.cursor])),
      },
      rows: [
        ...unreadableRows(unreadable),
        ...(nameless.length > 0 ? [{ kind: 'addressUnknown' as const, nodes: nameless }] : []),
        ...(lost.length > 0 ? [{ kind: 'eventsLost' as const, nodes: lost }] : []),
        ...bursts.sort(worstFirst),
        ...unheardRows(answers),
      ],
      gpuCount: answers.reduce((sum, { value }) => sum + value.gpus, 0),
    };
  },

  headText({ nodes, events, severities: counts, unreadableNodes, simulatedNodes }) {
    const summary = Object.entries(counts).map(([severity, number]) => `${number} ${severity}`);
    const read = `The kernel log is read on ${nodes - unreadableNodes.length} of ${count(nodes, 'node')}.`;
    return [
      ...simulatedText(nodes, simulatedNodes),
      `${count(events, 'event')} on ${count(nodes, 'node')}${summary.length > 0 ? `: ${summary.join(', ')}` : ''}.${unreadableNodes.length > 0 ? ` ${read}` : ''}`,
    ];
  },

  rowText(row) {
    if (row.kind === 'logUnreadable')
      return `unknown: ${foldNames(row.nodes)}: the kernel log is not read: ${row.reason}${insteadText(row.driverEvents)}`;
    if (row.kind === 'addressUnknown')
      return `unknown: ${foldNames(row.nodes)}: the PCI address of this GPU is not known, so that no event can be told to be its own; leave out gpu for all of the node`;
    if (row.kind === 'driverUnheard')
      return `${foldNames(row.nodes)}: the driver's own events are not heard: ${row.reason}. Events are those of the kernel log`;
    if (row.kind === 'eventsLost')
      return `${foldNames(row.nodes)}: events were dropped for want of room or missed, or the agent began anew: some may be missing here, and in the counts, also in counts`;
    return burstText(row);
  },
});

function countSeverities(events: readonly EventRow[]): Record<string, number> {
  const counts = [...severities]
    .reverse()
    .map((severity) => [severity, events.filter((event) => event.severity === severity).length] as const);
  return Object.fromEntries(counts.filter(([, number]) => number > 0));
}

/** A silent log is no sign of health: nodes on which nothing can be read for the same reasons are one line. */
function unreadableRows(answers: readonly Answer<NodeEvents>[]): Row[] {
  const alike = groupBy(answers, ({ value: { kernelLog, driverEvents } }) =>
    JSON.stringify([kernelLog.reason, driverEvents]),
  );
  return [...alike.values()].map((group) => ({
    kind: 'logUnreadable',
    nodes: group.map(({ node }) => node),
    reason: group[0]?.value.kernelLog.reason ?? 'unknown',
    driverEvents: group[0]?.value.driverEvents,
  }));
}

/** Where there is a log beside it; made-up GPUs have no driver that could tell. */
function unheardRows(answers: readonly Answer<NodeEvents>[]): Row[] {
  const unheard = answers.filter(
    ({ value: { kernelLog, driverEvents, simulated } }) =>
      kernelLog.readable && driverEvents?.readable === false && !simulated,
  );
  const byReason = groupBy(unheard, ({ value }) => value.driverEvents?.reason ?? 'unknown');
  return [...byReason].map(([reason, group]) => ({
    kind: 'driverUnheard',
    nodes: group.map(({ node }) => node),
    reason,
  }));
}

/** A driver that answers nothing has the thread that waits for its events waiting for ever. */
function heardFrom({ snapshot, events }: NodeContext): z.output<typeof source> {
  const { nvml } = events.sources;
  return nvml.readable && snapshot.driver.state === 'notResponding'
    ? { readable: false, reason: 'the driver does not respond' }
    : { ...nvml };
}

function insteadText(driverEvents: z.output<typeof source> | undefined): string {
  if (!driverEvents) return '';
  const { readable, reason } = driverEvents;
  if (readable)
    return `. Only the Xids that the driver itself tells are known${reason === null ? '' : `, and none of ${reason}`}`;
  return `. Nor are the driver's own events heard: ${reason ?? 'unknown'}`;
}

function worstFirst(a: Burst, b: Burst): number {
  const worse = severities.indexOf(b.event.severity) - severities.indexOf(a.event.severity);
  return worse || (b.lastAtMs ?? 0) - (a.lastAtMs ?? 0) || byName(a.node, b.node);
}
