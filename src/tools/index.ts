import { Fault } from '../core/fault.ts';
import { didYouMean } from '../core/similar.ts';
import { plainText } from '../core/words.ts';
import { health } from './health.ts';
import { inventory } from './inventory.ts';
import { metrics } from './metrics.ts';
import { processes } from './processes.ts';
import { timeline } from './timeline.ts';
import type { Tool } from './tool.ts';
import { topology } from './topology.ts';
import { xidErrors } from './xid-errors.ts';

/** Every tool, in the order clients see them. A new tool is one file, one line here and one test. */
export const tools: readonly Tool[] = [inventory, health, metrics, processes, topology, xidErrors, timeline];

/** @throws Fault BAD_ARGUMENT naming those that there are */
export function toolNamed(name: string): Tool {
  const tool = tools.find((each) => each.name === name);
  if (tool) return tool;
  const names = tools.map((each) => each.name);
  const message = `there is no tool ${plainText(name, 64)}${didYouMean(name, names)}; there are ${names.join(', ')}`;
  throw new Fault(message, { code: 'BAD_ARGUMENT' });
}
