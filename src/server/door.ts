import { type Door, loopbackDoor } from './agent.ts';
import { type Config, isLoopback } from './config.ts';
import { httpLimits } from './limits.ts';

/** Who gets in at an address: on loopback who is in the pod, elsewhere who has the token, or on request everyone. */
export function doorOf({ token, insecureNoAuth, allowedHosts }: Config, addr: string): Door {
  const { maxInFlight, responseMs } = httpLimits;
  const limits = { maxInFlight, responseMs };
  if (token !== undefined) return { ...limits, token, allowedHosts: undefined };
  if (isLoopback(addr) && !insecureNoAuth) return { ...limits, ...loopbackDoor };
  const hosts = allowedHosts && [...(loopbackDoor.allowedHosts ?? []), ...allowedHosts];
  return { ...limits, token: undefined, allowedHosts: hosts };
}
