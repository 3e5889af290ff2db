import manifest from '../package.json' with { type: 'json' };

/** One version for the bridge, the agent and the chart. */
export const version: string = manifest.version;
