import { z } from 'zod';

import { goneKeys, historyKey } from '../core/history.ts';
import { count } from '../core/words.ts';
import type { Answer, NodeContext } from './tool.ts';

export const goneRow = z.object({ kind: z.literal('gone'), node: z.string(), gpus: z.array(z.string()) });
type Row = z.output<typeof goneRow>;

/** GPUs that only the history knows, by UUID or else PCI address. None while the driver, or a GPU, does not say who is there. */
export function goneOf({ snapshot, history }: NodeContext): string[] {
  const { driver, gpus } = snapshot;
  const sure = driver.state === 'ok' && gpus.every((gpu) => historyKey(gpu) !== null);
  return history && sure ? goneKeys(history, gpus) : [];
}

export function goneRows(answers: readonly Answer<{ readonly gone: readonly string[] }>[]): Row[] {
  return answers.flatMap(({ node, value: { gone } }): Row[] =>
    gone.length > 0 ? [{ kind: 'gone', node, gpus: [...gone] }] : [],
  );
}

export function goneText({ node, gpus }: Row): string {
  return `${node}: ${count(gpus.length, 'GPU')} not there any more, which ${gpus.length === 1 ? 'was' : 'were'} before the agent was restarted: ${gpus.join(', ')}. get_gpu_timeline tells what is known of it`;
}
