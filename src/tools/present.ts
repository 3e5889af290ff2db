import type { z } from 'zod';

import { Fault } from '../core/fault.ts';
import { clipped, plainText } from '../core/words.ts';
import type { Answer, Tool } from './tool.ts';

/** What one answer may hold, so that no host cuts it: Claude Code stops at 50,000 characters, others sooner. */
export const budgetCharacters = 20_000;
/** What one row may hold: far more than any that an honest node gives. */
const maxRowCharacters = 6000;

/** `nextCursor` is null when nothing was left out. */
export interface Page {
  readonly rowsTotal: number;
  readonly firstRow: number;
  readonly rowsShown: number;
  readonly nextCursor: string | null;
}

export interface Presented {
  readonly text: string;
  readonly structured: Record<string, unknown>;
}

/**
 * Merges answers and makes them readable: head lines, then as many rows as `limit` and the character budget allow, then
 * how to get the rest. An agent presents itself as a fleet of one; the bridge all that answered.
 *
 * @param preamble lines that must be there whatever the budget: who answered, who did not
 * @param clocks lines about the nodes' clocks
 * @param silent how many nodes in question gave no answer
 * @throws Fault GPU_NOT_FOUND when a GPU was named and it is sure that no node has it, BAD_ARGUMENT for a cursor that is not ours
 */
export function present(
  tool: Tool,
  args: z.output<Tool['input']>,
  answers: readonly Answer<unknown>[],
  {
    preamble = [],
    clocks = [],
    silent = 0,
  }: { preamble?: readonly string[]; clocks?: readonly string[]; silent?: number } = {},
): Presented {
  const { head, rows, gpuCount } = tool.merge(args, answers as Answer<z.output<Tool['output']>>[]);
  const lacking = args['gpu'] !== undefined && gpuCount === 0 ? gpuNotFound(args['gpu'], answers) : undefined;
  if (lacking && rows.length === 0 && silent === 0) throw lacking;
  const doubt = lacking ? [`${lacking.code}: ${lacking.message}; it may be on one that could not tell.`] : [];
  const opening = [...preamble, ...tool.headText(head), ...doubt, ...clocks];
  const first = startOf(args['cursor']);
  const lines: string[] = [];
  let room = budgetCharacters - opening.join('\n').length - 200; // 200: the line that tells how to get the rest
  for (const row of rows.slice(first, first + ((args['limit'] as number | undefined) ?? rows.length))) {
    const line = clipped(tool.rowText(row), maxRowCharacters);
    room -= line.length + 1;
    if (room < 0 && lines.length > 0) break;
    lines.push(line);
  }
  const page = pageOf(rows.length, first, lines.length);
  const shown = rows.slice(first, first + lines.length);
  return {
    text: [...opening, ...lines, ...rest(page)].join('\n'),
    structured: { ...head, rows: shown, page },
  };
}

function pageOf(rowsTotal: number, first: number, rowsShown: number): Page {
  const next = first + rowsShown;
  return { rowsTotal, firstRow: first + 1, rowsShown, nextCursor: next < rowsTotal ? `row-${next}` : null };
}

function rest({ rowsTotal, firstRow, rowsShown, nextCursor }: Page): string[] {
  if (rowsShown === rowsTotal) return [];
  if (rowsShown === 0) return [`There are ${rowsTotal} rows, and none from row ${firstRow} on.`];
  const shown = `Rows ${firstRow} to ${firstRow + rowsShown - 1} of ${rowsTotal}`;
  if (nextCursor === null) return [`${shown}: this is the end.`];
  return [`${shown}. For the rest call again with cursor="${nextCursor}", or narrow with nodes or gpu.`];
}

function startOf(cursor: unknown): number {
  if (cursor === undefined) return 0;
  const [, row] = /^row-(\d+)$/.exec(String(cursor)) ?? [];
  if (row === undefined)
    throw new Fault(
      `cursor: "${plainText(String(cursor), 64)}" is not one that an answer gave; it gave row-N`,
      {
        code: 'BAD_ARGUMENT',
      },
    );
  return Number(row);
}

function gpuNotFound(gpu: unknown, answers: readonly Answer<unknown>[]): Fault {
  const where =
    answers.length === 1 ? `on ${answers[0]?.node}` : `on any of the ${answers.length} nodes that answered`;
  return new Fault(`no GPU ${plainText(String(gpu), 64)} ${where}`, { code: 'GPU_NOT_FOUND' });
}
