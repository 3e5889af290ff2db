import { actionWords } from '../diagnose/verdict.ts';

/** With what it means on the node, where it is an action that this version knows. */
export function actionText(action: string): string {
  const words = new Map<string, string>(Object.entries(actionWords)).get(action);
  return words === undefined ? action : `${action}: ${words}`;
}
