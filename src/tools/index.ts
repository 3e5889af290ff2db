import { health } from './health.ts';
import { inventory } from './inventory.ts';
import type { Tool } from './tool.ts';

/** Every tool, in the order clients see them. A new tool is one file, one line here and one test. */
export const tools: readonly Tool[] = [inventory, health];
