export const logLevels = ['debug', 'info', 'warn', 'error'] as const;
export type LogLevel = (typeof logLevels)[number];

/** Writes one JSON line per event: `{"time", "level", "msg", …fields}`. */
export interface Log {
  debug(msg: string, fields?: object): void;
  info(msg: string, fields?: object): void;
  warn(msg: string, fields?: object): void;
  error(msg: string, fields?: object): void;
}

/** @param write receives whole lines; both programs pass stderr, since stdout carries protocol only */
export function createLog(level: LogLevel, write: (line: string) => void): Log {
  const at =
    (own: LogLevel) =>
    (msg: string, fields: object = {}) => {
      if (logLevels.indexOf(own) < logLevels.indexOf(level)) return;
      write(`${JSON.stringify({ time: new Date().toISOString(), level: own, msg, ...fields })}\n`);
    };
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
}
