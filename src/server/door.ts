import { type Door, loopbackDoor } from './agent.ts';
import type { Config } from './config.ts';
import { httpLimits } from './limits.ts';
import { isLoopback } from './reach.ts';

/**
 * Who gets in at an address: on loopback who is in the pod, elsewhere who has the token, or on request everyone. Where
 * another listener is exposed, token and flags are that one's.
 */
export function doorOf(config: Config, addr: string, token: Door['token']): Door {
  const { exposeAddr, insecureNoAuth, allowedHosts } = config;
  const { maxInFlight, responseMs } = httpLimits;
  const limits = { maxInFlight, responseMs };
  if (exposeAddr !== undefined && addr !== exposeAddr) return { ...limits, ...loopbackDoor };
  if (token !== undefined) return { ...limits, token, allowedHosts: undefined };
  if (isLoopback(addr) && !insecureNoAuth) return { ...limits, ...loopbackDoor };
  const hosts = allowedHosts && [...(loopbackDoor.allowedHosts ?? []), ...allowedHosts];
  return { ...limits, token: undefined, allowedHosts: hosts };
}
