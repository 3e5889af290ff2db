import { homedir } from 'node:os';
import { join } from 'node:path';

const { XDG_CACHE_HOME, K8S_GPU_MCP_CACHE } = process.env;

/** What a tier of the tests builds or fetches once, and finds there the next time. */
export const cacheDirectory =
  K8S_GPU_MCP_CACHE || join(XDG_CACHE_HOME || join(homedir(), '.cache'), 'k8s-gpu-mcp');
