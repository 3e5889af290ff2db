import { Fault } from '../../core/fault.ts';
import { plainText } from '../../core/words.ts';

/**
 * Up to which number its reader has read: 0 without a cursor, null for one of another numbering.
 *
 * @throws Fault BAD_ARGUMENT for a cursor that no agent gave
 */
export function readUpTo(cursor: string | undefined, ofNumbering: string): number | null {
  if (cursor === undefined) return 0;
  const [, numbering, number] = /^([\da-f]{8})-(\d{1,15})$/.exec(cursor) ?? [];
  if (number === undefined)
    throw new Fault(`since: "${plainText(cursor, 64)}" is not a cursor that an answer gave`, {
      code: 'BAD_ARGUMENT',
    });
  return numbering === ofNumbering ? Number(number) : null;
}
