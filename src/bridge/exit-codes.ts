/** For scripts: how a command ended. */
export const exitCodes = { ok: 0, failed: 1, usage: 2, partial: 3, timeout: 4 } as const;
